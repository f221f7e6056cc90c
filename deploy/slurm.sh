#!/bin/bash
# A Ray cluster over the nodes of a Slurm job, and a run on it: sbatch --nodes 2 deploy/slurm.sh own
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
set -euo pipefail
config=${1:?name a configuration, such as own}
port=6379
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export RAY_USAGE_STATS_ENABLED=0

# Each `srun` holds its nodes until the job ends; the run itself is a step of the first node beside it.
srun --overlap --nodes=1 --ntasks=1 -w "$head" \
    ray start --head --port="$port" --num-cpus="$SLURM_CPUS_PER_TASK" --include-dashboard=false --block &
sleep 20
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    srun --overlap --nodes="$((SLURM_JOB_NUM_NODES - 1))" --ntasks="$((SLURM_JOB_NUM_NODES - 1))" --exclude="$head" \
        ray start --address="$head:$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
    sleep 20
fi

# The same job, submitted again with the same directory, goes on where this one ended.
srun --overlap --nodes=1 --ntasks=1 -w "$head" \
    amends run "$config" executor=ray executor.address="$head:$port" threads=1 --out "${RUN:-runs/slurm}"
