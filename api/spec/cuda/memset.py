"""Sets."""

fn("CUresult cuMemsetD8_v2(CUdeviceptr dstDevice, unsigned char uc, size_t N)",
   post(), since=3020, ptds=7000, ptds_as="cuMemsetD8Async", dstDevice=within("N"))
fn("CUresult cuMemsetD16_v2(CUdeviceptr dstDevice, unsigned short us, size_t N)",
   post(), since=3020, ptds=7000, ptds_as="cuMemsetD16Async", dstDevice=within("N*2", align=2))
fn("CUresult cuMemsetD32_v2(CUdeviceptr dstDevice, unsigned int ui, size_t N)",
   post(), since=3020, ptds=7000, ptds_as="cuMemsetD32Async", dstDevice=within("N*4", align=4))
fn("""CUresult cuMemsetD2D8_v2(CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc, size_t Width, size_t
   Height)""",
   post(), since=3020, ptds=7000, ptds_as="cuMemsetD2D8Async", dstDevice=within("rows2d(dstPitch,Width,Height)"))
fn("""CUresult cuMemsetD2D16_v2(CUdeviceptr dstDevice, size_t dstPitch, unsigned short us, size_t Width,
   size_t Height)""",
   post(), since=3020, ptds=7000, ptds_as="cuMemsetD2D16Async", dstDevice=within("rows2d(dstPitch,Width*2,Height)", align=2))
fn("""CUresult cuMemsetD2D32_v2(CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui, size_t Width, size_t
   Height)""",
   post(), since=3020, ptds=7000, ptds_as="cuMemsetD2D32Async", dstDevice=within("rows2d(dstPitch,Width*4,Height)", align=4))
fn("CUresult cuMemsetD8Async(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream)",
   post(), since=3020, ptsz=7000, dstDevice=within("N"))
fn("CUresult cuMemsetD16Async(CUdeviceptr dstDevice, unsigned short us, size_t N, CUstream hStream)",
   post(), since=3020, ptsz=7000, dstDevice=within("N*2", align=2))
fn("CUresult cuMemsetD32Async(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream)",
   post(), since=3020, ptsz=7000, dstDevice=within("N*4", align=4))
fn("""CUresult cuMemsetD2D8Async(CUdeviceptr dstDevice, size_t dstPitch, unsigned char uc, size_t Width,
   size_t Height, CUstream hStream)""",
   post(), since=3020, ptsz=7000, dstDevice=within("rows2d(dstPitch,Width,Height)"))
fn("""CUresult cuMemsetD2D16Async(CUdeviceptr dstDevice, size_t dstPitch, unsigned short us, size_t Width,
   size_t Height, CUstream hStream)""",
   post(), since=3020, ptsz=7000, dstDevice=within("rows2d(dstPitch,Width*2,Height)", align=2))
fn("""CUresult cuMemsetD2D32Async(CUdeviceptr dstDevice, size_t dstPitch, unsigned int ui, size_t Width,
   size_t Height, CUstream hStream)""",
   post(), since=3020, ptsz=7000, dstDevice=within("rows2d(dstPitch,Width*4,Height)", align=4))
fn("CUresult cuMemsetD16(CUdeviceptr_v1 dstDevice, unsigned short us, unsigned int N)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuMemsetD2D16(CUdeviceptr_v1 dstDevice, unsigned int dstPitch, unsigned short us, unsigned int
   Width, unsigned int Height)""",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuMemsetD2D32(CUdeviceptr_v1 dstDevice, unsigned int dstPitch, unsigned int ui, unsigned int
   Width, unsigned int Height)""",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuMemsetD2D8(CUdeviceptr_v1 dstDevice, unsigned int dstPitch, unsigned char uc, unsigned int
   Width, unsigned int Height)""",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemsetD32(CUdeviceptr_v1 dstDevice, unsigned int ui, unsigned int N)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemsetD8(CUdeviceptr_v1 dstDevice, unsigned char uc, unsigned int N)",
   refused("addresses of 32 bits"), since=2000, old=True)
