"""External memory, semaphores and graphics."""

fn("CUresult cuDestroyExternalMemory(CUexternalMemory extMem)",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=10000)
fn("CUresult cuDestroyExternalSemaphore(CUexternalSemaphore extSem)",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=10000)
fn("""CUresult cuExternalMemoryGetMappedBuffer(CUdeviceptr *devPtr, CUexternalMemory extMem, const
   CUDA_EXTERNAL_MEMORY_BUFFER_DESC *bufferDesc)""",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=10000)
fn("CUresult cuGraphicsMapResources(unsigned int count, CUgraphicsResource *resources, CUstream hStream)",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=3000,
   ptsz=7000)
fn("""CUresult cuGraphicsResourceGetMappedMipmappedArray(CUmipmappedArray *pMipmappedArray, CUgraphicsResource
   resource)""",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=5000)
fn("""CUresult cuGraphicsResourceGetMappedPointer(CUdeviceptr_v1 *pDevPtr, unsigned int *pSize,
   CUgraphicsResource resource)""",
   refused("addresses of 32 bits"), since=3000, old=True)
fn("""CUresult cuGraphicsResourceGetMappedPointer_v2(CUdeviceptr *pDevPtr, size_t *pSize, CUgraphicsResource
   resource)""",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=3020)
fn("CUresult cuGraphicsResourceSetMapFlags(CUgraphicsResource resource, unsigned int flags)",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=3000,
   old=True)
fn("CUresult cuGraphicsResourceSetMapFlags_v2(CUgraphicsResource resource, unsigned int flags)",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=6050)
fn("""CUresult cuGraphicsSubResourceGetMappedArray(CUarray *pArray, CUgraphicsResource resource, unsigned int
   arrayIndex, unsigned int mipLevel)""",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=3000)
fn("CUresult cuGraphicsUnmapResources(unsigned int count, CUgraphicsResource *resources, CUstream hStream)",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=3000,
   ptsz=7000)
fn("CUresult cuGraphicsUnregisterResource(CUgraphicsResource resource)",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=3000)
fn("""CUresult cuImportExternalMemory(CUexternalMemory *extMem_out, const CUDA_EXTERNAL_MEMORY_HANDLE_DESC
   *memHandleDesc)""",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=10000)
fn("""CUresult cuImportExternalSemaphore(CUexternalSemaphore *extSem_out, const
   CUDA_EXTERNAL_SEMAPHORE_HANDLE_DESC *semHandleDesc)""",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=10000)
fn("""CUresult cuSignalExternalSemaphoresAsync(const CUexternalSemaphore *extSemArray, const
   CUDA_EXTERNAL_SEMAPHORE_SIGNAL_PARAMS *paramsArray, unsigned int numExtSems, CUstream stream)""",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=10000,
   ptsz=10000)
fn("""CUresult cuWaitExternalSemaphoresAsync(const CUexternalSemaphore *extSemArray, const
   CUDA_EXTERNAL_SEMAPHORE_WAIT_PARAMS *paramsArray, unsigned int numExtSems, CUstream stream)""",
   refused("external memory, semaphores and graphics resources belong to the client's machine"), since=10000,
   ptsz=10000)
