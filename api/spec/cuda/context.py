"""Primary and created contexts; the current-context stack is the client thread's."""

fn("CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)", local(), since=7000)
fn("CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev)", local(), since=11000)
fn("CUresult cuDevicePrimaryCtxRelease(CUdevice dev)",
   local(), since=7000, old=True, same_as="cuDevicePrimaryCtxRelease_v2")
fn("CUresult cuDevicePrimaryCtxReset_v2(CUdevice dev)", local(), since=11000)
fn("CUresult cuDevicePrimaryCtxReset(CUdevice dev)",
   local(), since=7000, old=True, same_as="cuDevicePrimaryCtxReset_v2")
fn("CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned int flags)", local(), since=11000)
fn("CUresult cuDevicePrimaryCtxSetFlags(CUdevice dev, unsigned int flags)",
   local(), since=7000, old=True, same_as="cuDevicePrimaryCtxSetFlags_v2")
fn("CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned int *flags, int *active)", local(), since=7000)
fn("""CUresult cuCtxCreate_v4(CUcontext *pctx, CUctxCreateParams *ctxCreateParams, unsigned int flags,
   CUdevice dev)""",
   local(), since=12050)
fn("""CUresult cuCtxCreate_v3(CUcontext *pctx, CUexecAffinityParam *paramsArray, int numParams, unsigned int
   flags, CUdevice dev)""",
   local(), since=11040, old=True)
fn("CUresult cuCtxCreate_v2(CUcontext *pctx, unsigned int flags, CUdevice dev)", local(), since=3020, old=True)
fn("CUresult cuCtxCreate(CUcontext *pctx, unsigned int flags, CUdevice dev)",
   local(), since=2000, old=True, same_as="cuCtxCreate_v2")
fn("CUresult cuCtxDestroy_v2(CUcontext ctx)", local(), since=4000)
fn("CUresult cuCtxDestroy(CUcontext ctx)", local(), since=2000, old=True, same_as="cuCtxDestroy_v2")
fn("CUresult cuCtxPushCurrent_v2(CUcontext ctx)", local(), since=4000)
fn("CUresult cuCtxPushCurrent(CUcontext ctx)", local(), since=2000, old=True, same_as="cuCtxPushCurrent_v2")
fn("CUresult cuCtxPopCurrent_v2(CUcontext *pctx)", local(), since=4000)
fn("CUresult cuCtxPopCurrent(CUcontext *pctx)", local(), since=2000, old=True, same_as="cuCtxPopCurrent_v2")
fn("CUresult cuCtxSetCurrent(CUcontext ctx)", local(), since=4000)
fn("CUresult cuCtxGetCurrent(CUcontext *pctx)", local(), since=4000)
fn("CUresult cuCtxGetDevice(CUdevice *device)", local(), since=2000)
fn("CUresult cuCtxGetDevice_v2(CUdevice *device, CUcontext ctx)", local(), since=13000)
fn("CUresult cuCtxGetFlags(unsigned int *flags)", local(), since=7000)
fn("CUresult cuCtxSetFlags(unsigned int flags)", local(), since=12010)
fn("CUresult cuCtxGetId(CUcontext ctx, unsigned long long *ctxId)", local(), since=12000)
fn("CUresult cuCtxGetApiVersion(CUcontext ctx, unsigned int *version)", local(), since=3020)
fn("CUresult cuCtxSynchronize(void)", local(), since=2000)
fn("CUresult cuCtxSynchronize_v2(CUcontext ctx)", local(), since=13000)
fn("CUresult cuCtxSetLimit(CUlimit limit, size_t value)", call(), since=3010, hand=BOTH, waits=True)
fn("CUresult cuCtxGetLimit(size_t *pvalue, CUlimit limit)", call(), since=3010, hand=CLIENT, pvalue=out())
fn("CUresult cuCtxGetCacheConfig(CUfunc_cache *pconfig)", call(), since=3020, pconfig=out())
fn("CUresult cuCtxSetCacheConfig(CUfunc_cache config)", post(), since=3020)
fn("CUresult cuCtxGetSharedMemConfig(CUsharedconfig *pConfig)", call(), since=4020, pConfig=out())
fn("CUresult cuCtxSetSharedMemConfig(CUsharedconfig config)", post(), since=4020)
fn("CUresult cuCtxGetStreamPriorityRange(int *leastPriority, int *greatestPriority)",
   call(), since=5050, hand=CLIENT, leastPriority=out(nullable=True), greatestPriority=out(nullable=True))
fn("CUresult cuCtxResetPersistingL2Cache(void)", post(), since=11000)
fn("CUresult cuCtxGetExecAffinity(CUexecAffinityParam *pExecAffinity, CUexecAffinityType type)",
   call(), since=11040, pExecAffinity=out())
fn("CUresult cuCtxEnablePeerAccess(CUcontext peerContext, unsigned int Flags)", call(), since=4000)
fn("CUresult cuCtxDisablePeerAccess(CUcontext peerContext)", call(), since=4000)
fn("CUresult cuCtxAttach(CUcontext *pctx, unsigned int flags)", local(), since=2000)
fn("CUresult cuCtxDetach(CUcontext ctx)", local(), since=2000)
fn("CUresult cuCtxRecordEvent(CUcontext hCtx, CUevent hEvent)",
   local(), since=12050)
fn("CUresult cuCtxWaitEvent(CUcontext hCtx, CUevent hEvent)",
   post(), since=12050, hand=CLIENT)

message("PrimaryRetain", "call", "u32 device, u64 context", "u32 flags",
        doc="First retain of a device's primary context; the client names it.")
message("PrimaryRelease", "call", "u32 device, u64 context", waits=True, doc="Last release of a primary context.")
message("PrimaryReset", "call", "u32 device, u64 context", waits=True, doc="cuDevicePrimaryCtxReset: everything in the context ends.")
message("PrimarySetFlags", "call", "u32 device, u32 flags", doc="Flags of a primary context.")
message("ContextCreate", "call", "u32 device, u32 flags, u64 context", doc="A created context; the client names it.")
message("ContextDestroy", "call", "u64 context", waits=True, doc="Ends a created context.")
message("ContextSynchronize", "call", "u64 context", doc="Answered when everything posted to the context before it has run.")
message("ContextEventRecord", "post", "u64 context, u64 event, u64 mark", doc="cuCtxRecordEvent; answered by EventReached.")
