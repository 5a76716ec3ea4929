#!/bin/sh
# SLURM's TaskEpilog: gives back what task-prolog.sh took. It runs as the job's user when a task has ended, however it ended.
PATH=$PATH:$(dirname "$0")/../../../bin  # the bundle's, where no other is installed
# Where the sessions' files are: the same for all scripts here (docs/slurm.md).
settings=${BITFUSION_SLURM_SETTINGS:-/etc/bitfusion/slurm.yaml}
folder=$(sed -n 's/^session-folder: *\(\/[^ ]*\) *$/\1/p' "$settings" 2> /dev/null | tail -n 1)
file=${folder:-/tmp}/bitfusion-slurm-$SLURM_JOB_ID-$SLURM_STEP_ID-$SLURM_PROCID
if [ -e "$file" ]; then bitfusion release_gpus -f "$file"; fi
