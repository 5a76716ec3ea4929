"""Handles, aliases, structs and callbacks of the driver API, in the order in which they depend on each other.

ABI facts of CUDA 13.0: names, numbers and layouts as programs compiled against cuda.h expect them. Where a cuda.h
is found at build time, every line here is compared with it (api/gen/abi_check.py).
"""

alias("cuuint32_t", "uint32_t")
alias("cuuint64_t", "uint64_t")
alias("CUdeviceptr_v2", "unsigned long long")
alias("CUdeviceptr", "CUdeviceptr_v2")
alias("CUdevice_v1", "int")
alias("CUdevice", "CUdevice_v1")
handle("CUcontext", "CUctx_st")
handle("CUmodule", "CUmod_st")
handle("CUfunction", "CUfunc_st")
handle("CUlibrary", "CUlib_st")
handle("CUkernel", "CUkern_st")
handle("CUarray", "CUarray_st")
handle("CUmipmappedArray", "CUmipmappedArray_st")
handle("CUtexref", "CUtexref_st")
handle("CUsurfref", "CUsurfref_st")
handle("CUevent", "CUevent_st")
handle("CUstream", "CUstream_st")
handle("CUgraphicsResource", "CUgraphicsResource_st")
alias("CUtexObject_v1", "unsigned long long")
alias("CUtexObject", "CUtexObject_v1")
alias("CUsurfObject_v1", "unsigned long long")
alias("CUsurfObject", "CUsurfObject_v1")
handle("CUexternalMemory", "CUextMemory_st")
handle("CUexternalSemaphore", "CUextSemaphore_st")
handle("CUgraph", "CUgraph_st")
handle("CUgraphNode", "CUgraphNode_st")
handle("CUgraphExec", "CUgraphExec_st")
handle("CUmemoryPool", "CUmemPoolHandle_st")
handle("CUuserObject", "CUuserObject_st")
alias("CUgraphConditionalHandle", "cuuint64_t")
handle("CUgraphDeviceNode", "CUgraphDeviceUpdatableNode_st")
handle("CUasyncCallbackHandle", "CUasyncCallbackEntry_st")
handle("CUgreenCtx", "CUgreenCtx_st")
struct("CUuuid", "char bytes[16];", 16, 1, tag="CUuuid_st")
struct("CUmemFabricHandle_v1", "unsigned char data[64];", 64, 1, tag="CUmemFabricHandle_st")
alias("CUmemFabricHandle", "CUmemFabricHandle_v1")
struct("CUipcEventHandle_v1", "char reserved[64];", 64, 1, tag="CUipcEventHandle_st")
alias("CUipcEventHandle", "CUipcEventHandle_v1")
struct("CUipcMemHandle_v1", "char reserved[64];", 64, 1, tag="CUipcMemHandle_st")
alias("CUipcMemHandle", "CUipcMemHandle_v1")
struct("CUstreamBatchMemOpParams_v1", """
    CUstreamBatchMemOpType operation; struct CUstreamMemOpWaitValueParams_st { CUstreamBatchMemOpType operation;
    CUdeviceptr address; union { cuuint32_t value; cuuint64_t value64; }; unsigned int flags; CUdeviceptr alias;
    } waitValue; struct CUstreamMemOpWriteValueParams_st { CUstreamBatchMemOpType operation; CUdeviceptr
    address; union { cuuint32_t value; cuuint64_t value64; }; unsigned int flags; CUdeviceptr alias; }
    writeValue; struct CUstreamMemOpFlushRemoteWritesParams_st { CUstreamBatchMemOpType operation; unsigned int
    flags; } flushRemoteWrites; struct CUstreamMemOpMemoryBarrierParams_st { CUstreamBatchMemOpType operation;
    unsigned int flags; } memoryBarrier; cuuint64_t pad[6];""", 48, 8, union=True, tag="CUstreamBatchMemOpParams_union")
alias("CUstreamBatchMemOpParams", "CUstreamBatchMemOpParams_v1")
struct("CUDA_BATCH_MEM_OP_NODE_PARAMS_v1", """
    CUcontext ctx; unsigned int count; CUstreamBatchMemOpParams *paramArray; unsigned int flags;""", 32, 8, tag="CUDA_BATCH_MEM_OP_NODE_PARAMS_v1_st")
alias("CUDA_BATCH_MEM_OP_NODE_PARAMS", "CUDA_BATCH_MEM_OP_NODE_PARAMS_v1")
struct("CUDA_BATCH_MEM_OP_NODE_PARAMS_v2", """
    CUcontext ctx; unsigned int count; CUstreamBatchMemOpParams *paramArray; unsigned int flags;""", 32, 8, tag="CUDA_BATCH_MEM_OP_NODE_PARAMS_v2_st")
struct("CUasyncNotificationInfo", """
    CUasyncNotificationType type; union { struct { unsigned long long bytesOverBudget; } overBudget; } info;""", 16, 8, tag="CUasyncNotificationInfo_st")
callback("CUasyncCallback", "void (*CUasyncCallback)(CUasyncNotificationInfo *info, void *userData, CUasyncCallbackHandle callback)")
struct("CUdevprop_v1", """
    int maxThreadsPerBlock; int maxThreadsDim[3]; int maxGridSize[3]; int sharedMemPerBlock; int
    totalConstantMemory; int SIMDWidth; int memPitch; int regsPerBlock; int clockRate; int textureAlign;""", 56, 4, tag="CUdevprop_st")
alias("CUdevprop", "CUdevprop_v1")
handle("CUlinkState", "CUlinkState_st")
callback("CUhostFn", "void (*CUhostFn)(void *userData)")
struct("CUaccessPolicyWindow_v1", """
    void *base_ptr; size_t num_bytes; float hitRatio; CUaccessProperty hitProp; CUaccessProperty missProp;""", 32, 8, tag="CUaccessPolicyWindow_st")
alias("CUaccessPolicyWindow", "CUaccessPolicyWindow_v1")
struct("CUDA_KERNEL_NODE_PARAMS_v1", """
    CUfunction func; unsigned int gridDimX; unsigned int gridDimY; unsigned int gridDimZ; unsigned int
    blockDimX; unsigned int blockDimY; unsigned int blockDimZ; unsigned int sharedMemBytes; void **kernelParams;
    void **extra;""", 56, 8, tag="CUDA_KERNEL_NODE_PARAMS_st")
struct("CUDA_KERNEL_NODE_PARAMS_v2", """
    CUfunction func; unsigned int gridDimX; unsigned int gridDimY; unsigned int gridDimZ; unsigned int
    blockDimX; unsigned int blockDimY; unsigned int blockDimZ; unsigned int sharedMemBytes; void **kernelParams;
    void **extra; CUkernel kern; CUcontext ctx;""", 72, 8, tag="CUDA_KERNEL_NODE_PARAMS_v2_st")
alias("CUDA_KERNEL_NODE_PARAMS", "CUDA_KERNEL_NODE_PARAMS_v2")
struct("CUDA_KERNEL_NODE_PARAMS_v3", """
    CUfunction func; unsigned int gridDimX; unsigned int gridDimY; unsigned int gridDimZ; unsigned int
    blockDimX; unsigned int blockDimY; unsigned int blockDimZ; unsigned int sharedMemBytes; void **kernelParams;
    void **extra; CUkernel kern; CUcontext ctx;""", 72, 8, tag="CUDA_KERNEL_NODE_PARAMS_v3_st")
struct("CUDA_MEMSET_NODE_PARAMS_v1", """
    CUdeviceptr dst; size_t pitch; unsigned int value; unsigned int elementSize; size_t width; size_t height;""", 40, 8, tag="CUDA_MEMSET_NODE_PARAMS_st")
alias("CUDA_MEMSET_NODE_PARAMS", "CUDA_MEMSET_NODE_PARAMS_v1")
struct("CUDA_MEMSET_NODE_PARAMS_v2", """
    CUdeviceptr dst; size_t pitch; unsigned int value; unsigned int elementSize; size_t width; size_t height;
    CUcontext ctx;""", 48, 8, tag="CUDA_MEMSET_NODE_PARAMS_v2_st")
struct("CUDA_HOST_NODE_PARAMS_v1", "CUhostFn fn; void* userData;", 16, 8, tag="CUDA_HOST_NODE_PARAMS_st")
alias("CUDA_HOST_NODE_PARAMS", "CUDA_HOST_NODE_PARAMS_v1")
struct("CUDA_HOST_NODE_PARAMS_v2", "CUhostFn fn; void* userData;", 16, 8, tag="CUDA_HOST_NODE_PARAMS_v2_st")
struct("CUDA_CONDITIONAL_NODE_PARAMS", """
    CUgraphConditionalHandle handle; CUgraphConditionalNodeType type; unsigned int size; CUgraph *phGraph_out;
    CUcontext ctx;""", 32, 8, tag="CUDA_CONDITIONAL_NODE_PARAMS")
struct("CUgraphEdgeData", """
    unsigned char from_port; unsigned char to_port; unsigned char type; unsigned char reserved[5];""", 8, 1, tag="CUgraphEdgeData_st")
struct("CUDA_GRAPH_INSTANTIATE_PARAMS", """
    cuuint64_t flags; CUstream hUploadStream; CUgraphNode hErrNode_out; CUgraphInstantiateResult result_out;""", 32, 8, tag="CUDA_GRAPH_INSTANTIATE_PARAMS_st")
struct("CUlaunchMemSyncDomainMap", """
    unsigned char default_; unsigned char remote;""", 2, 1, tag="CUlaunchMemSyncDomainMap_st")
struct("CUlaunchAttributeValue", """
    char pad[64]; CUaccessPolicyWindow accessPolicyWindow; int cooperative; CUsynchronizationPolicy syncPolicy;
    struct { unsigned int x; unsigned int y; unsigned int z; } clusterDim; CUclusterSchedulingPolicy
    clusterSchedulingPolicyPreference; int programmaticStreamSerializationAllowed; struct { CUevent event; int
    flags; int triggerAtBlockStart; } programmaticEvent; struct { CUevent event; int flags; }
    launchCompletionEvent; int priority; CUlaunchMemSyncDomainMap memSyncDomainMap; CUlaunchMemSyncDomain
    memSyncDomain; struct { unsigned int x; unsigned int y; unsigned int z; } preferredClusterDim; struct { int
    deviceUpdatable; CUgraphDeviceNode devNode; } deviceUpdatableKernelNode; unsigned int sharedMemCarveout;
    unsigned int nvlinkUtilCentricScheduling;""", 64, 8, union=True, tag="CUlaunchAttributeValue_union")
struct("CUlaunchAttribute", """
    CUlaunchAttributeID id; char pad[8 - sizeof(CUlaunchAttributeID)]; CUlaunchAttributeValue value;""", 72, 8, tag="CUlaunchAttribute_st")
struct("CUlaunchConfig", """
    unsigned int gridDimX; unsigned int gridDimY; unsigned int gridDimZ; unsigned int blockDimX; unsigned int
    blockDimY; unsigned int blockDimZ; unsigned int sharedMemBytes; CUstream hStream; CUlaunchAttribute *attrs;
    unsigned int numAttrs;""", 56, 8, tag="CUlaunchConfig_st")
alias("CUkernelNodeAttrID", "CUlaunchAttributeID")
alias("CUkernelNodeAttrValue_v1", "CUlaunchAttributeValue")
alias("CUkernelNodeAttrValue", "CUkernelNodeAttrValue_v1")
alias("CUstreamAttrID", "CUlaunchAttributeID")
alias("CUstreamAttrValue_v1", "CUlaunchAttributeValue")
alias("CUstreamAttrValue", "CUstreamAttrValue_v1")
struct("CUexecAffinitySmCount_v1", "unsigned int val;", 4, 4, tag="CUexecAffinitySmCount_st")
alias("CUexecAffinitySmCount", "CUexecAffinitySmCount_v1")
struct("CUexecAffinityParam_v1", """
    CUexecAffinityType type; union { CUexecAffinitySmCount smCount; } param;""", 8, 4, tag="CUexecAffinityParam_st")
alias("CUexecAffinityParam", "CUexecAffinityParam_v1")
struct("CUctxCigParam", "CUcigDataType sharedDataType; void* sharedData;", 16, 8, tag="CUctxCigParam_st")
struct("CUctxCreateParams", """
    CUexecAffinityParam *execAffinityParams; int numExecAffinityParams; CUctxCigParam *cigParams;""", 24, 8, tag="CUctxCreateParams_st")
struct("CUlibraryHostUniversalFunctionAndDataTable", """
    void *functionTable; size_t functionWindowSize; void *dataTable; size_t dataWindowSize;""", 32, 8, tag="CUlibraryHostUniversalFunctionAndDataTable_st")
callback("CUstreamCallback", "void (*CUstreamCallback)(CUstream hStream, CUresult status, void *userData)")
callback("CUoccupancyB2DSize", "size_t (*CUoccupancyB2DSize)(int blockSize)")
struct("CUDA_MEMCPY2D_v2", """
    size_t srcXInBytes; size_t srcY; CUmemorytype srcMemoryType; const void *srcHost; CUdeviceptr srcDevice;
    CUarray srcArray; size_t srcPitch; size_t dstXInBytes; size_t dstY; CUmemorytype dstMemoryType; void
    *dstHost; CUdeviceptr dstDevice; CUarray dstArray; size_t dstPitch; size_t WidthInBytes; size_t Height;""", 128, 8, tag="CUDA_MEMCPY2D_st")
alias("CUDA_MEMCPY2D", "CUDA_MEMCPY2D_v2")
struct("CUDA_MEMCPY3D_v2", """
    size_t srcXInBytes; size_t srcY; size_t srcZ; size_t srcLOD; CUmemorytype srcMemoryType; const void
    *srcHost; CUdeviceptr srcDevice; CUarray srcArray; void *reserved0; size_t srcPitch; size_t srcHeight;
    size_t dstXInBytes; size_t dstY; size_t dstZ; size_t dstLOD; CUmemorytype dstMemoryType; void *dstHost;
    CUdeviceptr dstDevice; CUarray dstArray; void *reserved1; size_t dstPitch; size_t dstHeight; size_t
    WidthInBytes; size_t Height; size_t Depth;""", 200, 8, tag="CUDA_MEMCPY3D_st")
alias("CUDA_MEMCPY3D", "CUDA_MEMCPY3D_v2")
struct("CUDA_MEMCPY3D_PEER_v1", """
    size_t srcXInBytes; size_t srcY; size_t srcZ; size_t srcLOD; CUmemorytype srcMemoryType; const void
    *srcHost; CUdeviceptr srcDevice; CUarray srcArray; CUcontext srcContext; size_t srcPitch; size_t srcHeight;
    size_t dstXInBytes; size_t dstY; size_t dstZ; size_t dstLOD; CUmemorytype dstMemoryType; void *dstHost;
    CUdeviceptr dstDevice; CUarray dstArray; CUcontext dstContext; size_t dstPitch; size_t dstHeight; size_t
    WidthInBytes; size_t Height; size_t Depth;""", 200, 8, tag="CUDA_MEMCPY3D_PEER_st")
alias("CUDA_MEMCPY3D_PEER", "CUDA_MEMCPY3D_PEER_v1")
struct("CUDA_MEMCPY_NODE_PARAMS", """
    int flags; int reserved; CUcontext copyCtx; CUDA_MEMCPY3D copyParams;""", 216, 8, tag="CUDA_MEMCPY_NODE_PARAMS_st")
struct("CUDA_ARRAY_DESCRIPTOR_v2", """
    size_t Width; size_t Height; CUarray_format Format; unsigned int NumChannels;""", 24, 8, tag="CUDA_ARRAY_DESCRIPTOR_st")
alias("CUDA_ARRAY_DESCRIPTOR", "CUDA_ARRAY_DESCRIPTOR_v2")
struct("CUDA_ARRAY3D_DESCRIPTOR_v2", """
    size_t Width; size_t Height; size_t Depth; CUarray_format Format; unsigned int NumChannels; unsigned int
    Flags;""", 40, 8, tag="CUDA_ARRAY3D_DESCRIPTOR_st")
alias("CUDA_ARRAY3D_DESCRIPTOR", "CUDA_ARRAY3D_DESCRIPTOR_v2")
struct("CUDA_ARRAY_SPARSE_PROPERTIES_v1", """
    struct { unsigned int width; unsigned int height; unsigned int depth; } tileExtent; unsigned int
    miptailFirstLevel; unsigned long long miptailSize; unsigned int flags; unsigned int reserved[4];""", 48, 8, tag="CUDA_ARRAY_SPARSE_PROPERTIES_st")
alias("CUDA_ARRAY_SPARSE_PROPERTIES", "CUDA_ARRAY_SPARSE_PROPERTIES_v1")
struct("CUDA_ARRAY_MEMORY_REQUIREMENTS_v1", """
    size_t size; size_t alignment; unsigned int reserved[4];""", 32, 8, tag="CUDA_ARRAY_MEMORY_REQUIREMENTS_st")
alias("CUDA_ARRAY_MEMORY_REQUIREMENTS", "CUDA_ARRAY_MEMORY_REQUIREMENTS_v1")
struct("CUDA_RESOURCE_DESC_v1", """
    CUresourcetype resType; union { struct { CUarray hArray; } array; struct { CUmipmappedArray hMipmappedArray;
    } mipmap; struct { CUdeviceptr devPtr; CUarray_format format; unsigned int numChannels; size_t sizeInBytes;
    } linear; struct { CUdeviceptr devPtr; CUarray_format format; unsigned int numChannels; size_t width; size_t
    height; size_t pitchInBytes; } pitch2D; struct { int reserved[32]; } reserved; } res; unsigned int flags;""", 144, 8, tag="CUDA_RESOURCE_DESC_st")
alias("CUDA_RESOURCE_DESC", "CUDA_RESOURCE_DESC_v1")
struct("CUDA_TEXTURE_DESC_v1", """
    CUaddress_mode addressMode[3]; CUfilter_mode filterMode; unsigned int flags; unsigned int maxAnisotropy;
    CUfilter_mode mipmapFilterMode; float mipmapLevelBias; float minMipmapLevelClamp; float maxMipmapLevelClamp;
    float borderColor[4]; int reserved[12];""", 104, 4, tag="CUDA_TEXTURE_DESC_st")
alias("CUDA_TEXTURE_DESC", "CUDA_TEXTURE_DESC_v1")
struct("CUDA_RESOURCE_VIEW_DESC_v1", """
    CUresourceViewFormat format; size_t width; size_t height; size_t depth; unsigned int firstMipmapLevel;
    unsigned int lastMipmapLevel; unsigned int firstLayer; unsigned int lastLayer; unsigned int reserved[16];""", 112, 8, tag="CUDA_RESOURCE_VIEW_DESC_st")
alias("CUDA_RESOURCE_VIEW_DESC", "CUDA_RESOURCE_VIEW_DESC_v1")
struct("CUtensorMap", "alignas(128) cuuint64_t opaque[16];", 128, 128, tag="CUtensorMap_st")
struct("CUDA_POINTER_ATTRIBUTE_P2P_TOKENS_v1", """
    unsigned long long p2pToken; unsigned int vaSpaceToken;""", 16, 8, tag="CUDA_POINTER_ATTRIBUTE_P2P_TOKENS_st")
alias("CUDA_POINTER_ATTRIBUTE_P2P_TOKENS", "CUDA_POINTER_ATTRIBUTE_P2P_TOKENS_v1")
struct("CUDA_LAUNCH_PARAMS_v1", """
    CUfunction function; unsigned int gridDimX; unsigned int gridDimY; unsigned int gridDimZ; unsigned int
    blockDimX; unsigned int blockDimY; unsigned int blockDimZ; unsigned int sharedMemBytes; CUstream hStream;
    void **kernelParams;""", 56, 8, tag="CUDA_LAUNCH_PARAMS_st")
alias("CUDA_LAUNCH_PARAMS", "CUDA_LAUNCH_PARAMS_v1")
struct("CUDA_EXTERNAL_MEMORY_HANDLE_DESC_v1", """
    CUexternalMemoryHandleType type; union { int fd; struct { void *handle; const void *name; } win32; const
    void *nvSciBufObject; } handle; unsigned long long size; unsigned int flags; unsigned int reserved[16];""", 104, 8, tag="CUDA_EXTERNAL_MEMORY_HANDLE_DESC_st")
alias("CUDA_EXTERNAL_MEMORY_HANDLE_DESC", "CUDA_EXTERNAL_MEMORY_HANDLE_DESC_v1")
struct("CUDA_EXTERNAL_MEMORY_BUFFER_DESC_v1", """
    unsigned long long offset; unsigned long long size; unsigned int flags; unsigned int reserved[16];""", 88, 8, tag="CUDA_EXTERNAL_MEMORY_BUFFER_DESC_st")
alias("CUDA_EXTERNAL_MEMORY_BUFFER_DESC", "CUDA_EXTERNAL_MEMORY_BUFFER_DESC_v1")
struct("CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC_v1", """
    unsigned long long offset; CUDA_ARRAY3D_DESCRIPTOR arrayDesc; unsigned int numLevels; unsigned int
    reserved[16];""", 120, 8, tag="CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC_st")
alias("CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC", "CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC_v1")
struct("CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC_v1", """
    CUexternalSemaphoreHandleType type; union { int fd; struct { void *handle; const void *name; } win32; const
    void* nvSciSyncObj; } handle; unsigned int flags; unsigned int reserved[16];""", 96, 8, tag="CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC_st")
alias("CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC", "CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC_v1")
struct("CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS_v1", """
    struct { struct { unsigned long long value; } fence; union { void *fence; unsigned long long reserved; }
    nvSciSync; struct { unsigned long long key; } keyedMutex; unsigned int reserved[12]; } params; unsigned int
    flags; unsigned int reserved[16];""", 144, 8, tag="CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS_st")
alias("CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS", "CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS_v1")
struct("CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS_v1", """
    struct { struct { unsigned long long value; } fence; union { void *fence; unsigned long long reserved; }
    nvSciSync; struct { unsigned long long key; unsigned int timeoutMs; } keyedMutex; unsigned int reserved[10];
    } params; unsigned int flags; unsigned int reserved[16];""", 144, 8, tag="CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS_st")
alias("CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS", "CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS_v1")
struct("CUDA_EXT_SEM_SIGNAL_NODE_PARAMS_v1", """
    CUexternalSemaphore* extSemArray; const CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS* paramsArray; unsigned int
    numExtSems;""", 24, 8, tag="CUDA_EXT_SEM_SIGNAL_NODE_PARAMS_st")
alias("CUDA_EXT_SEM_SIGNAL_NODE_PARAMS", "CUDA_EXT_SEM_SIGNAL_NODE_PARAMS_v1")
struct("CUDA_EXT_SEM_SIGNAL_NODE_PARAMS_v2", """
    CUexternalSemaphore* extSemArray; const CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS* paramsArray; unsigned int
    numExtSems;""", 24, 8, tag="CUDA_EXT_SEM_SIGNAL_NODE_PARAMS_v2_st")
struct("CUDA_EXT_SEM_WAIT_NODE_PARAMS_v1", """
    CUexternalSemaphore* extSemArray; const CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS* paramsArray; unsigned int
    numExtSems;""", 24, 8, tag="CUDA_EXT_SEM_WAIT_NODE_PARAMS_st")
alias("CUDA_EXT_SEM_WAIT_NODE_PARAMS", "CUDA_EXT_SEM_WAIT_NODE_PARAMS_v1")
struct("CUDA_EXT_SEM_WAIT_NODE_PARAMS_v2", """
    CUexternalSemaphore* extSemArray; const CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS* paramsArray; unsigned int
    numExtSems;""", 24, 8, tag="CUDA_EXT_SEM_WAIT_NODE_PARAMS_v2_st")
alias("CUmemGenericAllocationHandle_v1", "unsigned long long")
alias("CUmemGenericAllocationHandle", "CUmemGenericAllocationHandle_v1")
struct("CUarrayMapInfo_v1", """
    CUresourcetype resourceType; union { CUmipmappedArray mipmap; CUarray array; } resource;
    CUarraySparseSubresourceType subresourceType; union { struct { unsigned int level; unsigned int layer;
    unsigned int offsetX; unsigned int offsetY; unsigned int offsetZ; unsigned int extentWidth; unsigned int
    extentHeight; unsigned int extentDepth; } sparseLevel; struct { unsigned int layer; unsigned long long
    offset; unsigned long long size; } miptail; } subresource; CUmemOperationType memOperationType;
    CUmemHandleType memHandleType; union { CUmemGenericAllocationHandle memHandle; } memHandle; unsigned long
    long offset; unsigned int deviceBitMask; unsigned int flags; unsigned int reserved[2];""", 96, 8, tag="CUarrayMapInfo_st")
alias("CUarrayMapInfo", "CUarrayMapInfo_v1")
struct("CUmemLocation_v1", "CUmemLocationType type; int id;", 8, 4, tag="CUmemLocation_st")
alias("CUmemLocation", "CUmemLocation_v1")
struct("CUmemAllocationProp_v1", """
    CUmemAllocationType type; CUmemAllocationHandleType requestedHandleTypes; CUmemLocation location; void
    *win32HandleMetaData; struct { unsigned char compressionType; unsigned char gpuDirectRDMACapable; unsigned
    short usage; unsigned char reserved[4]; } allocFlags;""", 32, 8, tag="CUmemAllocationProp_st")
alias("CUmemAllocationProp", "CUmemAllocationProp_v1")
struct("CUmulticastObjectProp_v1", """
    unsigned int numDevices; size_t size; unsigned long long handleTypes; unsigned long long flags;""", 32, 8, tag="CUmulticastObjectProp_st")
alias("CUmulticastObjectProp", "CUmulticastObjectProp_v1")
struct("CUmemAccessDesc_v1", "CUmemLocation location; CUmemAccess_flags flags;", 12, 4, tag="CUmemAccessDesc_st")
alias("CUmemAccessDesc", "CUmemAccessDesc_v1")
struct("CUgraphExecUpdateResultInfo_v1", """
    CUgraphExecUpdateResult result; CUgraphNode errorNode; CUgraphNode errorFromNode;""", 24, 8, tag="CUgraphExecUpdateResultInfo_st")
alias("CUgraphExecUpdateResultInfo", "CUgraphExecUpdateResultInfo_v1")
struct("CUmemPoolProps_v1", """
    CUmemAllocationType allocType; CUmemAllocationHandleType handleTypes; CUmemLocation location; void
    *win32SecurityAttributes; size_t maxSize; unsigned short usage; unsigned char reserved[54];""", 88, 8, tag="CUmemPoolProps_st")
alias("CUmemPoolProps", "CUmemPoolProps_v1")
struct("CUmemPoolPtrExportData_v1", "unsigned char reserved[64];", 64, 1, tag="CUmemPoolPtrExportData_st")
alias("CUmemPoolPtrExportData", "CUmemPoolPtrExportData_v1")
struct("CUmemcpyAttributes_v1", """
    CUmemcpySrcAccessOrder srcAccessOrder; CUmemLocation srcLocHint; CUmemLocation dstLocHint; unsigned int
    flags;""", 24, 4, tag="CUmemcpyAttributes_st")
alias("CUmemcpyAttributes", "CUmemcpyAttributes_v1")
struct("CUoffset3D_v1", "size_t x; size_t y; size_t z;", 24, 8, tag="CUoffset3D_st")
alias("CUoffset3D", "CUoffset3D_v1")
struct("CUextent3D_v1", "size_t width; size_t height; size_t depth;", 24, 8, tag="CUextent3D_st")
alias("CUextent3D", "CUextent3D_v1")
struct("CUmemcpy3DOperand_v1", """
    CUmemcpy3DOperandType type; union { struct { CUdeviceptr ptr; size_t rowLength; size_t layerHeight;
    CUmemLocation locHint; } ptr; struct { CUarray array; CUoffset3D offset; } array; } op;""", 40, 8, tag="CUmemcpy3DOperand_st")
alias("CUmemcpy3DOperand", "CUmemcpy3DOperand_v1")
struct("CUDA_MEMCPY3D_BATCH_OP_v1", """
    CUmemcpy3DOperand src; CUmemcpy3DOperand dst; CUextent3D extent; CUmemcpySrcAccessOrder srcAccessOrder;
    unsigned int flags;""", 112, 8, tag="CUDA_MEMCPY3D_BATCH_OP_st")
alias("CUDA_MEMCPY3D_BATCH_OP", "CUDA_MEMCPY3D_BATCH_OP_v1")
struct("CUDA_MEM_ALLOC_NODE_PARAMS_v1", """
    CUmemPoolProps poolProps; const CUmemAccessDesc *accessDescs; size_t accessDescCount; size_t bytesize;
    CUdeviceptr dptr;""", 120, 8, tag="CUDA_MEM_ALLOC_NODE_PARAMS_v1_st")
alias("CUDA_MEM_ALLOC_NODE_PARAMS", "CUDA_MEM_ALLOC_NODE_PARAMS_v1")
struct("CUDA_MEM_ALLOC_NODE_PARAMS_v2", """
    CUmemPoolProps poolProps; const CUmemAccessDesc *accessDescs; size_t accessDescCount; size_t bytesize;
    CUdeviceptr dptr;""", 120, 8, tag="CUDA_MEM_ALLOC_NODE_PARAMS_v2_st")
struct("CUDA_MEM_FREE_NODE_PARAMS", "CUdeviceptr dptr;", 8, 8, tag="CUDA_MEM_FREE_NODE_PARAMS_st")
struct("CUDA_CHILD_GRAPH_NODE_PARAMS", """
    CUgraph graph; CUgraphChildGraphNodeOwnership ownership;""", 16, 8, tag="CUDA_CHILD_GRAPH_NODE_PARAMS_st")
struct("CUDA_EVENT_RECORD_NODE_PARAMS", "CUevent event;", 8, 8, tag="CUDA_EVENT_RECORD_NODE_PARAMS_st")
struct("CUDA_EVENT_WAIT_NODE_PARAMS", "CUevent event;", 8, 8, tag="CUDA_EVENT_WAIT_NODE_PARAMS_st")
struct("CUgraphNodeParams", """
    CUgraphNodeType type; int reserved0[3]; union { long long reserved1[29]; CUDA_KERNEL_NODE_PARAMS_v3 kernel;
    CUDA_MEMCPY_NODE_PARAMS memcpy; CUDA_MEMSET_NODE_PARAMS_v2 memset; CUDA_HOST_NODE_PARAMS_v2 host;
    CUDA_CHILD_GRAPH_NODE_PARAMS graph; CUDA_EVENT_WAIT_NODE_PARAMS eventWait; CUDA_EVENT_RECORD_NODE_PARAMS
    eventRecord; CUDA_EXT_SEM_SIGNAL_NODE_PARAMS_v2 extSemSignal; CUDA_EXT_SEM_WAIT_NODE_PARAMS_v2 extSemWait;
    CUDA_MEM_ALLOC_NODE_PARAMS_v2 alloc; CUDA_MEM_FREE_NODE_PARAMS free; CUDA_BATCH_MEM_OP_NODE_PARAMS_v2 memOp;
    CUDA_CONDITIONAL_NODE_PARAMS conditional; }; long long reserved2;""", 256, 8, tag="CUgraphNodeParams_st")
struct("CUcheckpointLockArgs", """
    unsigned int timeoutMs; unsigned int reserved0; cuuint64_t reserved1[7];""", 64, 8, tag="CUcheckpointLockArgs_st")
struct("CUcheckpointCheckpointArgs", "cuuint64_t reserved[8];", 64, 8, tag="CUcheckpointCheckpointArgs_st")
struct("CUcheckpointGpuPair", "CUuuid oldUuid; CUuuid newUuid;", 32, 1, tag="CUcheckpointGpuPair_st")
struct("CUcheckpointRestoreArgs", """
    CUcheckpointGpuPair *gpuPairs; unsigned int gpuPairsCount; char reserved[52 - sizeof(CUcheckpointGpuPair
    *)]; cuuint64_t reserved1;""", 64, 8, tag="CUcheckpointRestoreArgs_st")
struct("CUcheckpointUnlockArgs", "cuuint64_t reserved[8];", 64, 8, tag="CUcheckpointUnlockArgs_st")
struct("CUmemDecompressParams", """
    size_t srcNumBytes; size_t dstNumBytes; cuuint32_t *dstActBytes; const void *src; void *dst;
    CUmemDecompressAlgorithm algo; unsigned char padding[20];""", 64, 8, tag="CUmemDecompressParams_st")
handle("CUdevResourceDesc", "CUdevResourceDesc_st")
struct("CUdevSmResource", """
    unsigned int smCount; unsigned int minSmPartitionSize; unsigned int smCoscheduledAlignment;""", 12, 4, tag="CUdevSmResource_st")
struct("CUdevResource_v1", """
    CUdevResourceType type; unsigned char _internal_padding[92]; union { CUdevSmResource sm; unsigned char
    _oversize[48]; };""", 144, 4, tag="CUdevResource_st")
alias("CUdevResource", "CUdevResource_v1")
handle("CUlogsCallbackHandle", "CUlogsCallbackEntry_st")
callback("CUlogsCallback", "void (*CUlogsCallback)(void *data, CUlogLevel logLevel, char *message, size_t length)")
alias("CUlogIterator", "unsigned int")

# Structs of the 32-bit address era: named by old prototypes that are refused, never looked into.
opaque("CUDA_MEMCPY2D_v1")
opaque("CUDA_MEMCPY3D_v1")
opaque("CUDA_ARRAY_DESCRIPTOR_v1")
opaque("CUDA_ARRAY3D_DESCRIPTOR_v1")
alias("CUdeviceptr_v1", "unsigned int")

# Numbers that are the driver's own handles: they travel as names, like handles.
number_handle("CUmemGenericAllocationHandle")
