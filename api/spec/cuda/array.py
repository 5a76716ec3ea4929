"""Arrays and mipmaps."""

fn("CUresult cuArray3DCreate(CUarray *pHandle, const CUDA_ARRAY3D_DESCRIPTOR_v1 *pAllocateArray)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuArray3DCreate_v2(CUarray *pHandle, const CUDA_ARRAY3D_DESCRIPTOR *pAllocateArray)",
   later("arrays"), since=3020)
fn("CUresult cuArray3DGetDescriptor(CUDA_ARRAY3D_DESCRIPTOR_v1 *pArrayDescriptor, CUarray hArray)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR *pArrayDescriptor, CUarray hArray)",
   later("arrays"), since=3020)
fn("CUresult cuArrayCreate(CUarray *pHandle, const CUDA_ARRAY_DESCRIPTOR_v1 *pAllocateArray)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuArrayCreate_v2(CUarray *pHandle, const CUDA_ARRAY_DESCRIPTOR *pAllocateArray)",
   later("arrays"), since=3020)
fn("CUresult cuArrayDestroy(CUarray hArray)", later("arrays"), since=2000)
fn("CUresult cuArrayGetDescriptor(CUDA_ARRAY_DESCRIPTOR_v1 *pArrayDescriptor, CUarray hArray)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR *pArrayDescriptor, CUarray hArray)",
   later("arrays"), since=3020)
fn("""CUresult cuArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS *memoryRequirements, CUarray array,
   CUdevice device)""",
   later("arrays"), since=11060)
fn("CUresult cuArrayGetPlane(CUarray *pPlaneArray, CUarray hArray, unsigned int planeIdx)",
   later("arrays"), since=11020)
fn("CUresult cuArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES *sparseProperties, CUarray array)",
   later("arrays"), since=11010)
fn("""CUresult cuExternalMemoryGetMappedMipmappedArray(CUmipmappedArray *mipmap, CUexternalMemory extMem,
   const CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC *mipmapDesc)""",
   later("arrays"), since=10000)
fn("CUresult cuMemMapArrayAsync(CUarrayMapInfo *mapInfoList, unsigned int count, CUstream hStream)",
   later("arrays"), since=11010, ptsz=11010)
fn("""CUresult cuMipmappedArrayCreate(CUmipmappedArray *pHandle, const CUDA_ARRAY3D_DESCRIPTOR
   *pMipmappedArrayDesc, unsigned int numMipmapLevels)""",
   later("arrays"), since=5000)
fn("CUresult cuMipmappedArrayDestroy(CUmipmappedArray hMipmappedArray)", later("arrays"), since=5000)
fn("""CUresult cuMipmappedArrayGetLevel(CUarray *pLevelArray, CUmipmappedArray hMipmappedArray, unsigned int
   level)""",
   later("arrays"), since=5000)
fn("""CUresult cuMipmappedArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS *memoryRequirements,
   CUmipmappedArray mipmap, CUdevice device)""",
   later("arrays"), since=11060)
fn("""CUresult cuMipmappedArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES *sparseProperties,
   CUmipmappedArray mipmap)""",
   later("arrays"), since=11010)
