#!/bin/sh
# SLURM's TaskEpilog: gives back what task-prolog.sh took. It runs as the job's user when a task has ended, however it ended.
PATH=$PATH:$(dirname "$0")/../../../bin  # the bundle's, where no other is installed
file=/tmp/bitfusion-slurm-$SLURM_JOB_ID-$SLURM_STEP_ID-$SLURM_PROCID
if [ -e "$file" ]; then bitfusion release_gpus -f "$file"; fi
