"""Whether a step is skipped, gone on with, made anew or refused, by the manifest of what it writes."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amends.data.settings import DataSettings
from amends.errors import JudgeError, StoreError
from amends.judges.base import Judge
from amends.judges.preference import PreferenceJudge
from amends.models.base import Model
from amends.pipeline.executors.local import Local
from amends.progress import Reporter, Silent, observed
from amends.prompts import Language, english
from amends.stages.executors import Executor
from amends.storage.artifacts import Artifact
from amends.storage.files import fingerprint, json_text, read_as, read_json, write_atomically, write_json
from amends.storage.locks import held
from amends.storage.manifest_content import DamagedError
from amends.storage.manifests import Manifest
from amends.storage.run_directory import RunDirectory
from amends.storage.unfinished import part_path

SET = ("settings", "seed", "rows", "sampling", "draws", "preference", "trainer", "limit")
"""Parts that are said as they are where they differ; others have a name, or none (a step's code, its templates)."""


@dataclass
class Outlook:
    """What a run would do, found before it does anything.

    Attributes:
        finished: steps that are skipped.
        anew: steps whose finished work would be made anew, each with its settings that differ: none where it follows
            from what it reads.
        coming: outputs that would be made.
        elsewhere: methods that have to be trained elsewhere before the run can go on.
    """

    finished: list[str] = field(default_factory=list)
    anew: dict[str, list[str]] = field(default_factory=dict)
    coming: set[Path] = field(default_factory=set)
    elsewhere: list[str] = field(default_factory=list)

    def make(self, name: str, out: Path, settings: list[str], has_work: bool) -> None:
        """Notes a step that has something to do."""
        self.coming.add(out)
        if has_work:
            self.anew[name] = settings

    @property
    def refusal(self) -> str:
        """Why the run is refused: which settings differ, and what they would cost. Empty where none does."""
        steps: dict[str, list[str]] = {}
        for name, settings in self.anew.items():
            for one in settings:
                steps.setdefault(one, []).append(name)
        if not steps:
            return ""
        differing = "".join(f"\n  - {one} (of {', '.join(names)})" for one, names in steps.items())
        count = f"{len(self.anew)} step" + ("s" if len(self.anew) > 1 else "")
        return (
            f"what is there was made with other settings{differing}\n{count} would be made anew: {', '.join(self.anew)}"
        )


@dataclass
class Resuming:
    """Runs steps that are not finished.

    Args:
        seed: of all random streams.
        reporter: receives progress and news.
        root: the directory that outputs lie in; how long each step took goes to its timings.json.
        others: directories like it; what one of them has, finished and made from the same, is copied.
        overwrite: whether finished work of other settings, and what was damaged, may be made anew. It is refused
        otherwise. outlook: where there is one, nothing is done: it is noted what would be.
        language: what models are asked in.
        executor: what works on the chunks of stages.

    Attributes:
        done: digests of the manifests of what is finished, by output.
    """

    seed: int = 0
    reporter: Reporter = field(default_factory=Silent)
    root: Path | None = None
    others: Sequence[Path] = ()
    overwrite: bool = False
    outlook: Outlook | None = None
    done: dict[str, str] = field(default_factory=dict)
    language: Language = field(default_factory=english)
    executor: Executor = field(default_factory=Local)

    def waits(self, name: str, out: Path, *reads: Path) -> bool:
        """Whether, in an outlook, something that the step reads is yet to be made: then it is made after it."""
        if self.outlook is None or all(path.exists() and path not in self.outlook.coming for path in reads):
            return False
        self.outlook.make(name, out, [], out.exists())
        return True

    def _made(self, rows: DataSettings) -> list[Path]:
        """The file of a set that a step before wrote; none of a set that the user named."""
        path = Path(rows.source)
        return [path] if self.root and path.absolute().is_relative_to(self.root.absolute()) else []

    def place(self, path: Path | str) -> str:
        """A file as manifests name it: so that a run directory can be moved, from there."""
        absolute = Path(path).absolute()
        inside = self.root is not None and absolute.is_relative_to(self.root.absolute())
        return os.path.relpath(absolute, self.root) if inside else str(path)

    def other_patterns(self) -> list[dict[str, Any]]:
        """Those of texts, where they are not English's: a change of those raises CODE."""
        patterns = dict(self.language.patterns)
        return [] if patterns == english().patterns else [patterns]

    def spoken(self) -> dict[str, Any]:
        """What a manifest says of the language: a flag."""
        own, registered = self.language.own, self.language.registered
        of_files = {"guides file": own} if own else {}
        return {"language": self.language.code} | of_files | ({"own guides": list(registered)} if registered else {})

    def _run(
        self,
        name: str,
        artifact: Artifact,
        total: Callable[[], int | None],
        work: Callable[[], dict[str, Any] | None],
        judge: Judge | PreferenceJudge | None = None,
    ) -> None:
        """Does the work on an artifact that is not finished, and finishes it with the facts that the work returns.

        What the work's judge could not read is said, also where that ends the work.
        """
        if self.is_finished(name, artifact):
            return
        rows = total()  # refuses bad rows before anything is written, a lock's directory included
        with held(artifact.path), self._timed(name, artifact.is_begun()):
            try:
                with self.reporter.stage(name, rows, kept=artifact.kept_rows()) as progress, observed(progress):
                    facts = work()
            except JudgeError as error:
                kept = artifact.kept_rows()
                artifact.withdraw()
                raise JudgeError(f"{error}; {_kept(kept)}") from error.__cause__
            except BaseException:
                artifact.withdraw()
                raise
            finally:
                if judge and (unread := judge.unread()):
                    self.reporter.say(f"{name}: {unread}")
            artifact.finish(**facts or {})
        self.note_done(artifact)

    def note(self, name: str, manifest: Manifest, facts: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Writes, and returns, facts that are found at once."""
        if not self.is_finished(name, manifest):
            with held(manifest.path), self.reporter.stage(name, None):
                self.record(manifest, facts())
        return {} if self.outlook else dict(read_as(dict[str, Any], manifest.path))

    def record(self, manifest: Manifest, found: Mapping[str, Any]) -> None:
        """Writes what follows from other files; what a release that wrote no manifest of it left there is replaced."""
        if manifest.path.exists() and not manifest.read():
            manifest.set_aside()
        manifest.start()
        write_atomically(part_path(manifest.path), json_text(found))
        manifest.put(part_path(manifest.path))
        self.note_done(manifest)

    def summarize(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Writes what a manifest says to a file of its own. Raises DamagedError where that says otherwise."""
        try:
            damaged = path.exists() and read_json(path) != facts
        except StoreError:
            damaged = True
        if damaged and not self.overwrite:
            raise DamagedError(
                f"{path}: was damaged, or edited, after amends wrote it. Delete it to make it anew, or add --overwrite"
            )
        if not damaged and path.exists():
            return
        if self.outlook is not None:
            self.outlook.make(path.name, path, [], damaged)
            return
        if damaged:
            self.reporter.say(f"{path.name}: made anew, since it was damaged or edited")
        write_json(path, facts)

    @contextmanager
    def _timed(self, name: str, resumed: bool) -> Iterator[None]:
        """Keeps a step's seconds; one that is skipped keeps what it took before, one that was interrupted has none."""
        self.timings()  # what is wrong with them is said before the work
        began = time.monotonic()
        yield
        if self.root:
            before = self.timings()
            before.pop(name, None)
            now = before if resumed else before | {name: round(time.monotonic() - began, 2)}
            write_json(RunDirectory(self.root).timings, now)

    def timings(self) -> dict[str, float]:
        """Seconds by step until now. Raises StoreError where their file is damaged."""
        path = RunDirectory(self.root).timings if self.root else None
        return read_as(dict[str, float], path) if path and path.exists() else {}

    def is_finished(self, name: str, manifest: Manifest) -> bool:
        """Whether there is nothing to do: it is finished here, or was copied from where it is. In an outlook, always.

        Raises:
            DamagedError: what was finished is not as it was written.
            StoreError: finished work, or rows and checkpoints of an interrupted one, are of other settings.
        """
        manifest.overwrite = self.overwrite
        damaged = False
        try:
            if manifest.is_finished():
                if self.outlook is not None:
                    self.outlook.finished.append(name)
                else:
                    self.reporter.say(f"{name}: finished, skipped")
                self.note_done(manifest)
                return True
            manifest.refuse_other_kind()
            settings, others = manifest.changes()
        except DamagedError:
            if not self.overwrite:
                raise
            damaged, settings, others = True, [], []
        if self.outlook is not None:
            self.outlook.make(name, manifest.path, settings, bool(damaged or settings or others))
            return True
        if damaged:
            self.reporter.say(f"{name}: made anew, since it was damaged or edited")
            manifest.set_aside()
        if settings and not self.overwrite:
            raise StoreError(
                f"{manifest.path}: was made with other settings: {', '.join(settings)}. Choose another output, or add "
                "--overwrite to make it anew"
            )
        for other in self.others:
            if self.root and manifest.take(other / manifest.path.relative_to(self.root)):
                apart = [part for part in Path(os.path.relpath(other, self.root)).parts if part != os.pardir]
                self.reporter.say(f"{name}: as in {'/'.join(apart)}")
                self.note_done(manifest)
                return True
        if settings or others:
            self.reporter.say(f"{name}: made anew, since its {' and '.join([*settings, *others])} changed")
        return False

    def note_done(self, manifest: Manifest) -> None:
        """Keeps the digest of the manifest of what is finished."""
        self.done[self.place(manifest.path)] = fingerprint(content=manifest.read())


def _kept(rows: int) -> str:
    return f"{rows} rows are finished: the same command goes on from there" if rows else "no row is finished yet"


def model_name(model: Model) -> dict[str, Any]:
    """What is said of a model where another one is named: nothing of an address but its host."""
    adapter = str(model.adapter) if model.adapter else None
    return {"model": model.title, "adapter": adapter, "system_prompt": model.system_prompt}


def said(parts: Mapping[str, Any], **named: Any) -> dict[str, Any]:
    """What a manifest says of the parts that a user sets."""
    return {name: parts[name] for name in SET if name in parts} | named
