"""Stages: records in, records out. Models and judges are passed in."""
