"""Textures and surfaces."""

fn("CUresult cuModuleGetSurfRef(CUsurfref *pSurfRef, CUmodule hmod, const char *name)",
   call(), since=3000, hand=WORKER, pSurfRef=out(), name=cstring())
fn("CUresult cuModuleGetTexRef(CUtexref *pTexRef, CUmodule hmod, const char *name)",
   call(), since=2000, hand=WORKER, pTexRef=out(), name=cstring())
fn("CUresult cuSurfObjectCreate(CUsurfObject *pSurfObject, const CUDA_RESOURCE_DESC *pResDesc)",
   call(), since=5000, hand=BOTH, pSurfObject=out(), pResDesc=in_struct())
fn("CUresult cuSurfObjectDestroy(CUsurfObject surfObject)",
   post(), since=5000, hand=BOTH)
fn("CUresult cuSurfObjectGetResourceDesc(CUDA_RESOURCE_DESC *pResDesc, CUsurfObject surfObject)",
   local(), since=5000)
fn("CUresult cuSurfRefGetArray(CUarray *phArray, CUsurfref hSurfRef)",
   call(), since=3000, phArray=out())
fn("CUresult cuSurfRefSetArray(CUsurfref hSurfRef, CUarray hArray, unsigned int Flags)",
   call(), since=3000)
fn("""CUresult cuTexObjectCreate(CUtexObject *pTexObject, const CUDA_RESOURCE_DESC *pResDesc, const
   CUDA_TEXTURE_DESC *pTexDesc, const CUDA_RESOURCE_VIEW_DESC *pResViewDesc)""",
   call(), since=5000, hand=BOTH, pTexObject=out(), pResDesc=in_struct(), pTexDesc=in_struct(),
   pResViewDesc=in_struct(nullable=True))
fn("CUresult cuTexObjectDestroy(CUtexObject texObject)",
   post(), since=5000, hand=BOTH)
fn("CUresult cuTexObjectGetResourceDesc(CUDA_RESOURCE_DESC *pResDesc, CUtexObject texObject)",
   local(), since=5000)
fn("CUresult cuTexObjectGetResourceViewDesc(CUDA_RESOURCE_VIEW_DESC *pResViewDesc, CUtexObject texObject)",
   local(), since=5000)
fn("CUresult cuTexObjectGetTextureDesc(CUDA_TEXTURE_DESC *pTexDesc, CUtexObject texObject)",
   local(), since=5000)
fn("CUresult cuTexRefCreate(CUtexref *pTexRef)",
   call(), since=2000, pTexRef=out())
fn("CUresult cuTexRefDestroy(CUtexref hTexRef)",
   call(), since=2000, hTexRef=ends())
fn("CUresult cuTexRefGetAddress(CUdeviceptr_v1 *pdptr, CUtexref hTexRef)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuTexRefGetAddressMode(CUaddress_mode *pam, CUtexref hTexRef, int dim)",
   call(), since=2000, pam=out())
fn("CUresult cuTexRefGetAddress_v2(CUdeviceptr *pdptr, CUtexref hTexRef)",
   call(), since=3020, pdptr=out())
fn("CUresult cuTexRefGetArray(CUarray *phArray, CUtexref hTexRef)",
   call(), since=2000, phArray=out())
fn("CUresult cuTexRefGetBorderColor(float *pBorderColor, CUtexref hTexRef)",
   call(), since=8000, pBorderColor=out_array("4"))
fn("CUresult cuTexRefGetFilterMode(CUfilter_mode *pfm, CUtexref hTexRef)",
   call(), since=2000, pfm=out())
fn("CUresult cuTexRefGetFlags(unsigned int *pFlags, CUtexref hTexRef)",
   call(), since=2000, pFlags=out())
fn("CUresult cuTexRefGetFormat(CUarray_format *pFormat, int *pNumChannels, CUtexref hTexRef)",
   call(), since=2000, pFormat=out(), pNumChannels=out())
fn("CUresult cuTexRefGetMaxAnisotropy(int *pmaxAniso, CUtexref hTexRef)",
   call(), since=5000, pmaxAniso=out())
fn("CUresult cuTexRefGetMipmapFilterMode(CUfilter_mode *pfm, CUtexref hTexRef)",
   call(), since=5000, pfm=out())
fn("CUresult cuTexRefGetMipmapLevelBias(float *pbias, CUtexref hTexRef)",
   call(), since=5000, pbias=out())
fn("""CUresult cuTexRefGetMipmapLevelClamp(float *pminMipmapLevelClamp, float *pmaxMipmapLevelClamp, CUtexref
   hTexRef)""",
   call(), since=5000, pminMipmapLevelClamp=out(), pmaxMipmapLevelClamp=out())
fn("CUresult cuTexRefGetMipmappedArray(CUmipmappedArray *phMipmappedArray, CUtexref hTexRef)",
   call(), since=5000, phMipmappedArray=out())
fn("""CUresult cuTexRefSetAddress(unsigned int *ByteOffset, CUtexref hTexRef, CUdeviceptr_v1 dptr, unsigned
   int bytes)""",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuTexRefSetAddress2D(CUtexref hTexRef, const CUDA_ARRAY_DESCRIPTOR_v1 *desc, CUdeviceptr_v1
   dptr, unsigned int Pitch)""",
   refused("addresses of 32 bits"), since=2020, old=True)
fn("""CUresult cuTexRefSetAddress2D_v2(CUtexref hTexRef, const CUDA_ARRAY_DESCRIPTOR *desc, CUdeviceptr dptr,
   size_t Pitch)""",
   local(), since=3020, old=True, same_as="cuTexRefSetAddress2D_v3")
fn("""CUresult cuTexRefSetAddress2D_v3(CUtexref hTexRef, const CUDA_ARRAY_DESCRIPTOR *desc, CUdeviceptr dptr,
   size_t Pitch)""",
   call(), since=4010, hand=WORKER, desc=in_struct(), dptr=within("Pitch"))
fn("CUresult cuTexRefSetAddressMode(CUtexref hTexRef, int dim, CUaddress_mode am)",
   call(), since=2000)
fn("CUresult cuTexRefSetAddress_v2(size_t *ByteOffset, CUtexref hTexRef, CUdeviceptr dptr, size_t byteCount)",
   call(), since=3020, hand=CLIENT, ByteOffset=out(), dptr=within("byteCount"))
fn("CUresult cuTexRefSetArray(CUtexref hTexRef, CUarray hArray, unsigned int Flags)",
   call(), since=2000)
fn("CUresult cuTexRefSetBorderColor(CUtexref hTexRef, float *pBorderColor)",
   call(), since=8000, pBorderColor=in_array("4"))
fn("CUresult cuTexRefSetFilterMode(CUtexref hTexRef, CUfilter_mode fm)",
   call(), since=2000)
fn("CUresult cuTexRefSetFlags(CUtexref hTexRef, unsigned int Flags)",
   call(), since=2000)
fn("CUresult cuTexRefSetFormat(CUtexref hTexRef, CUarray_format fmt, int NumPackedComponents)",
   call(), since=2000)
fn("CUresult cuTexRefSetMaxAnisotropy(CUtexref hTexRef, unsigned int maxAniso)",
   call(), since=5000)
fn("CUresult cuTexRefSetMipmapFilterMode(CUtexref hTexRef, CUfilter_mode fm)",
   call(), since=5000)
fn("CUresult cuTexRefSetMipmapLevelBias(CUtexref hTexRef, float bias)",
   call(), since=5000)
fn("CUresult cuTexRefSetMipmapLevelClamp(CUtexref hTexRef, float minMipmapLevelClamp, float maxMipmapLevelClamp)",
   call(), since=5000)
fn("CUresult cuTexRefSetMipmappedArray(CUtexref hTexRef, CUmipmappedArray hMipmappedArray, unsigned int Flags)",
   call(), since=5000)
