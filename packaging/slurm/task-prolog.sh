#!/bin/sh
# SLURM's TaskProlog: gives each task of a job GPUs of the pool, so that its program needs no `bitfusion` in front of it.
#
# It runs as the job's user before each task. What it prints as "export NAME=value" becomes the task's environment. Only jobs
# that ask are served:  BITFUSION_ASK="-n 1 -p 0.5" srun python3 train.py
[ -n "${BITFUSION_ASK:-}" ] || exit 0

PATH=$PATH:$(dirname "$0")/../../../bin  # the bundle's, where no other is installed
# Where the sessions' files are: the same for all scripts here (docs/slurm.md).
settings=${BITFUSION_SLURM_SETTINGS:-/etc/bitfusion/slurm.yaml}
folder=$(sed -n 's/^session-folder: *\(\/[^ ]*\) *$/\1/p' "$settings" 2> /dev/null | tail -n 1)
file=${folder:-/tmp}/bitfusion-slurm-$SLURM_JOB_ID-$SLURM_STEP_ID-$SLURM_PROCID
# shellcheck disable=SC2086  # several words
if ! bitfusion request_gpus $BITFUSION_ASK --file "$file" > /dev/null; then
    echo "print no GPUs of the pool: see the lines above; BITFUSION_ASK is '$BITFUSION_ASK'"
    exit 1
fi
echo "export BITFUSION_SESSION_FILE=$file"
# What `client` gives its program, the task gets as well.
# shellcheck disable=SC2016  # the inner shell's variables
bitfusion client -f "$file" -- sh -c 'echo "export LD_LIBRARY_PATH=$LD_LIBRARY_PATH"; echo "export BITFUSION_SESSION=$BITFUSION_SESSION"; echo "export PATH=$PATH"'
