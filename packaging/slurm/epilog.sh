#!/bin/sh
# SLURM's Epilog: gives back what a job left, because it was killed or its script knows nothing of giving back. slurmd runs it
# as root on each node when a job has ended; sessions belong to the job's user, so that it becomes that user.
PATH=$PATH:$(dirname "$0")/../../../bin  # the bundle's, where no other is installed
# Where the sessions' files are: the same for all scripts here (docs/slurm.md).
settings=${BITFUSION_SLURM_SETTINGS:-/etc/bitfusion/slurm.yaml}
folder=$(sed -n 's/^session-folder: *\(\/[^ ]*\) *$/\1/p' "$settings" 2> /dev/null | tail -n 1)
sessions=${folder:-/tmp}/bitfusion-slurm-$SLURM_JOB_ID
for file in "$sessions" "$sessions"-*; do
    # Whoever may write into that folder may have put something of that name there: only the user's own counts.
    if [ ! -f "$file" ] || [ -L "$file" ] || [ "$(stat -c %u "$file")" != "$SLURM_JOB_UID" ]; then continue; fi
    runuser -u "$SLURM_JOB_USER" -- bitfusion release_gpus -f "$file" || logger -t bitfusion "cannot give back $file"
done
# An epilog that fails takes the node out of service.
exit 0
