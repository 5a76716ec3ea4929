"""Tensor maps: encoded by the server's driver, remembered by input."""

fn("""CUresult cuTensorMapEncodeTiled(CUtensorMap *tensorMap, CUtensorMapDataType tensorDataType, cuuint32_t
   tensorRank, void *globalAddress, const cuuint64_t *globalDim, const cuuint64_t *globalStrides, const
   cuuint32_t *boxDim, const cuuint32_t *elementStrides, CUtensorMapInterleave interleave,
   CUtensorMapSwizzle swizzle, CUtensorMapL2promotion l2Promotion, CUtensorMapFloatOOBfill oobFill)""",
   call(), since=12000, hand=CLIENT, tensorMap=out(), globalAddress=device_pointer(),
   globalDim=in_array("tensorRank"), globalStrides=in_array("tensorRank-1"), boxDim=in_array("tensorRank"),
   elementStrides=in_array("tensorRank"))
fn("""CUresult cuTensorMapEncodeIm2col(CUtensorMap *tensorMap, CUtensorMapDataType tensorDataType, cuuint32_t
   tensorRank, void *globalAddress, const cuuint64_t *globalDim, const cuuint64_t *globalStrides, const int
   *pixelBoxLowerCorner, const int *pixelBoxUpperCorner, cuuint32_t channelsPerPixel, cuuint32_t
   pixelsPerColumn, const cuuint32_t *elementStrides, CUtensorMapInterleave interleave, CUtensorMapSwizzle
   swizzle, CUtensorMapL2promotion l2Promotion, CUtensorMapFloatOOBfill oobFill)""",
   call(), since=12000, hand=CLIENT, tensorMap=out(), globalAddress=device_pointer(),
   globalDim=in_array("tensorRank"), globalStrides=in_array("tensorRank-1"),
   pixelBoxLowerCorner=in_array("tensorRank-2"), pixelBoxUpperCorner=in_array("tensorRank-2"),
   elementStrides=in_array("tensorRank"))
fn("""CUresult cuTensorMapEncodeIm2colWide(CUtensorMap *tensorMap, CUtensorMapDataType tensorDataType,
   cuuint32_t tensorRank, void *globalAddress, const cuuint64_t *globalDim, const cuuint64_t
   *globalStrides, int pixelBoxLowerCornerWidth, int pixelBoxUpperCornerWidth, cuuint32_t channelsPerPixel,
   cuuint32_t pixelsPerColumn, const cuuint32_t *elementStrides, CUtensorMapInterleave interleave,
   CUtensorMapIm2ColWideMode mode, CUtensorMapSwizzle swizzle, CUtensorMapL2promotion l2Promotion,
   CUtensorMapFloatOOBfill oobFill)""",
   call(), since=12080, hand=CLIENT, tensorMap=out(), globalAddress=device_pointer(),
   globalDim=in_array("tensorRank"), globalStrides=in_array("tensorRank-1"), elementStrides=in_array("tensorRank"))
fn("CUresult cuTensorMapReplaceAddress(CUtensorMap *tensorMap, void *globalAddress)", local(), since=12000)
