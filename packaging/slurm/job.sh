#!/bin/bash
# A SLURM job whose steps share GPUs of the pool:  sbatch job.sh python3 train.py
#
# The GPUs are asked for once, before the first step, and given back after the last one, also when a step fails or the job is
# cancelled. docs/slurm.md explains it.
#SBATCH --job-name=bitfusion
#SBATCH --ntasks=1
# The script itself is told half a minute before the time limit, so that it can give the GPUs back.
#SBATCH --signal=B:TERM@30
set -eu

# What to ask for, and how long to wait in the pool's queue.
: "${BITFUSION_ASK:=-n 1 -p 0.5 --timeout 1h}"

# Where the sessions' files are: the same for all scripts here (docs/slurm.md).
settings=${BITFUSION_SLURM_SETTINGS:-/etc/bitfusion/slurm.yaml}
folder=$(sed -n 's/^session-folder: *\(\/[^ ]*\) *$/\1/p' "$settings" 2> /dev/null | tail -n 1)
export BITFUSION_SESSION_FILE=${folder:-/tmp}/bitfusion-slurm-$SLURM_JOB_ID

give_back() {
    if [ -e "$BITFUSION_SESSION_FILE" ]; then bitfusion release_gpus; fi
}
trap give_back EXIT
trap 'kill "$step" 2>/dev/null || true; exit 143' TERM

# A signal is handled between commands; `wait` is one that it interrupts.
run_step() {
    bitfusion client -- "$@" &
    step=$!
    wait "$step"
}
step=0

# shellcheck disable=SC2086  # several words
bitfusion request_gpus $BITFUSION_ASK --file "$BITFUSION_SESSION_FILE" > /dev/null
run_step nvidia-smi -L
run_step "$@"
