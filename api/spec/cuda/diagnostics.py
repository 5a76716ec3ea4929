"""Checkpoints, core dumps, logs."""

fn("CUresult cuCheckpointProcessCheckpoint(int pid, CUcheckpointCheckpointArgs *args)",
   refused("checkpoints name processes of the client's machine"), since=12080)
fn("CUresult cuCheckpointProcessGetRestoreThreadId(int pid, int *tid)",
   refused("checkpoints name processes of the client's machine"), since=12080)
fn("CUresult cuCheckpointProcessGetState(int pid, CUprocessState *state)",
   refused("checkpoints name processes of the client's machine"), since=12080)
fn("CUresult cuCheckpointProcessLock(int pid, CUcheckpointLockArgs *args)",
   refused("checkpoints name processes of the client's machine"), since=12080)
fn("CUresult cuCheckpointProcessRestore(int pid, CUcheckpointRestoreArgs *args)",
   refused("checkpoints name processes of the client's machine"), since=12080)
fn("CUresult cuCheckpointProcessUnlock(int pid, CUcheckpointUnlockArgs *args)",
   refused("checkpoints name processes of the client's machine"), since=12080)
fn("CUresult cuCoredumpGetAttribute(CUcoredumpSettings attrib, void *value, size_t *size)",
   refused("the GPU's core dumps would be files of the server, which the program cannot read"), since=12010)
fn("CUresult cuCoredumpGetAttributeGlobal(CUcoredumpSettings attrib, void *value, size_t *size)",
   refused("the GPU's core dumps would be files of the server, which the program cannot read"), since=12010)
fn("CUresult cuCoredumpSetAttribute(CUcoredumpSettings attrib, void *value, size_t *size)",
   refused("the GPU's core dumps would be files of the server, which the program cannot read"), since=12010)
fn("CUresult cuCoredumpSetAttributeGlobal(CUcoredumpSettings attrib, void *value, size_t *size)",
   refused("the GPU's core dumps would be files of the server, which the program cannot read"), since=12010)
fn("CUresult cuLogsCurrent(CUlogIterator *iterator_out, unsigned int flags)",
   refused("the driver's log is the server's; ours is BITFUSION_LOG"), since=12090)
fn("CUresult cuLogsDumpToFile(CUlogIterator *iterator, const char *pathToFile, unsigned int flags)",
   refused("the driver's log is the server's; ours is BITFUSION_LOG"), since=12090)
fn("CUresult cuLogsDumpToMemory(CUlogIterator *iterator, char *buffer, size_t *size, unsigned int flags)",
   refused("the driver's log is the server's; ours is BITFUSION_LOG"), since=12090)
fn("""CUresult cuLogsRegisterCallback(CUlogsCallback callbackFunc, void *userData, CUlogsCallbackHandle
   *callback_out)""",
   refused("the driver's log is the server's; ours is BITFUSION_LOG"), since=12090)
fn("CUresult cuLogsUnregisterCallback(CUlogsCallbackHandle callback)",
   refused("the driver's log is the server's; ours is BITFUSION_LOG"), since=12090)
