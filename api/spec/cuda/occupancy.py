"""Occupancy: pure functions of kernel, sizes and device, remembered by the client."""

fn("""CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *numBlocks, CUfunction func, int blockSize,
   size_t dynamicSMemSize)""",
   call(), since=6050, hand=CLIENT, numBlocks=out())
fn("""CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *numBlocks, CUfunction func, int
   blockSize, size_t dynamicSMemSize, unsigned int flags)""",
   call(), since=7000, hand=CLIENT, numBlocks=out())
fn("""CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t *dynamicSmemSize, CUfunction func, int
   numBlocks, int blockSize)""",
   call(), since=10020, hand=CLIENT, dynamicSmemSize=out())
fn("""CUresult cuOccupancyMaxPotentialBlockSize(int *minGridSize, int *blockSize, CUfunction func,
   CUoccupancyB2DSize blockSizeToDynamicSMemSize, size_t dynamicSMemSize, int blockSizeLimit)""",
   local(), since=6050)
fn("""CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int *minGridSize, int *blockSize, CUfunction func,
   CUoccupancyB2DSize blockSizeToDynamicSMemSize, size_t dynamicSMemSize, int blockSizeLimit, unsigned int
   flags)""",
   local(), since=7000)
fn("CUresult cuOccupancyMaxPotentialClusterSize(int *clusterSize, CUfunction func, const CUlaunchConfig *config)",
   local(), since=11070)
fn("CUresult cuOccupancyMaxActiveClusters(int *numClusters, CUfunction func, const CUlaunchConfig *config)",
   local(), since=11070)

message("OccupancyClusters", "call", "u64 function, u32 potential, u32 grid_x, u32 grid_y, u32 grid_z, u32 block_x, u32 block_y, u32 block_z, u32 shared_bytes, u64 stream, bytes attributes",
        "i32 value", doc="cuOccupancyMaxActiveClusters, or MaxPotentialClusterSize.")
