"""Arrays and mipmaps."""

fn("CUresult cuArray3DCreate(CUarray *pHandle, const CUDA_ARRAY3D_DESCRIPTOR_v1 *pAllocateArray)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuArray3DCreate_v2(CUarray *pHandle, const CUDA_ARRAY3D_DESCRIPTOR *pAllocateArray)",
   call(), since=3020, hand=BOTH, pHandle=out(), pAllocateArray=in_struct())
fn("CUresult cuArray3DGetDescriptor(CUDA_ARRAY3D_DESCRIPTOR_v1 *pArrayDescriptor, CUarray hArray)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR *pArrayDescriptor, CUarray hArray)",
   call(), since=3020, hand=CLIENT, pArrayDescriptor=out())
fn("CUresult cuArrayCreate(CUarray *pHandle, const CUDA_ARRAY_DESCRIPTOR_v1 *pAllocateArray)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuArrayCreate_v2(CUarray *pHandle, const CUDA_ARRAY_DESCRIPTOR *pAllocateArray)",
   local(), since=3020)
fn("CUresult cuArrayDestroy(CUarray hArray)", post(), since=2000, hand=BOTH, hArray=ends())
fn("CUresult cuArrayGetDescriptor(CUDA_ARRAY_DESCRIPTOR_v1 *pArrayDescriptor, CUarray hArray)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR *pArrayDescriptor, CUarray hArray)",
   local(), since=3020)
fn("""CUresult cuArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS *memoryRequirements, CUarray array,
   CUdevice device)""",
   call(), since=11060, memoryRequirements=out())
fn("CUresult cuArrayGetPlane(CUarray *pPlaneArray, CUarray hArray, unsigned int planeIdx)",
   call(), since=11020, hand=BOTH, pPlaneArray=out())
fn("CUresult cuArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES *sparseProperties, CUarray array)",
   call(), since=11010, sparseProperties=out())
fn("""CUresult cuExternalMemoryGetMappedMipmappedArray(CUmipmappedArray *mipmap, CUexternalMemory extMem,
   const CUDA_EXTERNAL_MEMORY_MIPMAPPED_ARRAY_DESC *mipmapDesc)""",
   refused("memory of the client's other devices and APIs"), since=10000)
fn("CUresult cuMemMapArrayAsync(CUarrayMapInfo *mapInfoList, unsigned int count, CUstream hStream)",
   refused("sparse arrays; the devices say that they have none"), since=11010, ptsz=11010)
fn("""CUresult cuMipmappedArrayCreate(CUmipmappedArray *pHandle, const CUDA_ARRAY3D_DESCRIPTOR
   *pMipmappedArrayDesc, unsigned int numMipmapLevels)""",
   call(), since=5000, hand=BOTH, pHandle=out(), pMipmappedArrayDesc=in_struct())
fn("CUresult cuMipmappedArrayDestroy(CUmipmappedArray hMipmappedArray)",
   post(), since=5000, hand=BOTH, hMipmappedArray=ends())
fn("""CUresult cuMipmappedArrayGetLevel(CUarray *pLevelArray, CUmipmappedArray hMipmappedArray, unsigned int
   level)""",
   call(), since=5000, hand=BOTH, pLevelArray=out())
fn("""CUresult cuMipmappedArrayGetMemoryRequirements(CUDA_ARRAY_MEMORY_REQUIREMENTS *memoryRequirements,
   CUmipmappedArray mipmap, CUdevice device)""",
   call(), since=11060, memoryRequirements=out())
fn("""CUresult cuMipmappedArrayGetSparseProperties(CUDA_ARRAY_SPARSE_PROPERTIES *sparseProperties,
   CUmipmappedArray mipmap)""",
   call(), since=11010, sparseProperties=out())

gap("sparse arrays, and arrays that memory is mapped into later", "devices say that they have none")
