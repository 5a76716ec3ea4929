"""Textures and surfaces."""

fn("CUresult cuModuleGetSurfRef(CUsurfref *pSurfRef, CUmodule hmod, const char *name)",
   later("textures and surfaces"), since=3000)
fn("CUresult cuModuleGetTexRef(CUtexref *pTexRef, CUmodule hmod, const char *name)",
   later("textures and surfaces"), since=2000)
fn("CUresult cuSurfObjectCreate(CUsurfObject *pSurfObject, const CUDA_RESOURCE_DESC *pResDesc)",
   later("textures and surfaces"), since=5000)
fn("CUresult cuSurfObjectDestroy(CUsurfObject surfObject)", later("textures and surfaces"), since=5000)
fn("CUresult cuSurfObjectGetResourceDesc(CUDA_RESOURCE_DESC *pResDesc, CUsurfObject surfObject)",
   later("textures and surfaces"), since=5000)
fn("CUresult cuSurfRefGetArray(CUarray *phArray, CUsurfref hSurfRef)", later("textures and surfaces"), since=3000)
fn("CUresult cuSurfRefSetArray(CUsurfref hSurfRef, CUarray hArray, unsigned int Flags)",
   later("textures and surfaces"), since=3000)
fn("""CUresult cuTexObjectCreate(CUtexObject *pTexObject, const CUDA_RESOURCE_DESC *pResDesc, const
   CUDA_TEXTURE_DESC *pTexDesc, const CUDA_RESOURCE_VIEW_DESC *pResViewDesc)""",
   later("textures and surfaces"), since=5000)
fn("CUresult cuTexObjectDestroy(CUtexObject texObject)", later("textures and surfaces"), since=5000)
fn("CUresult cuTexObjectGetResourceDesc(CUDA_RESOURCE_DESC *pResDesc, CUtexObject texObject)",
   later("textures and surfaces"), since=5000)
fn("CUresult cuTexObjectGetResourceViewDesc(CUDA_RESOURCE_VIEW_DESC *pResViewDesc, CUtexObject texObject)",
   later("textures and surfaces"), since=5000)
fn("CUresult cuTexObjectGetTextureDesc(CUDA_TEXTURE_DESC *pTexDesc, CUtexObject texObject)",
   later("textures and surfaces"), since=5000)
fn("CUresult cuTexRefCreate(CUtexref *pTexRef)", later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefDestroy(CUtexref hTexRef)", later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefGetAddress(CUdeviceptr_v1 *pdptr, CUtexref hTexRef)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuTexRefGetAddressMode(CUaddress_mode *pam, CUtexref hTexRef, int dim)",
   later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefGetAddress_v2(CUdeviceptr *pdptr, CUtexref hTexRef)", later("textures and surfaces"), since=3020)
fn("CUresult cuTexRefGetArray(CUarray *phArray, CUtexref hTexRef)", later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefGetBorderColor(float *pBorderColor, CUtexref hTexRef)",
   later("textures and surfaces"), since=8000)
fn("CUresult cuTexRefGetFilterMode(CUfilter_mode *pfm, CUtexref hTexRef)", later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefGetFlags(unsigned int *pFlags, CUtexref hTexRef)", later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefGetFormat(CUarray_format *pFormat, int *pNumChannels, CUtexref hTexRef)",
   later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefGetMaxAnisotropy(int *pmaxAniso, CUtexref hTexRef)", later("textures and surfaces"), since=5000)
fn("CUresult cuTexRefGetMipmapFilterMode(CUfilter_mode *pfm, CUtexref hTexRef)",
   later("textures and surfaces"), since=5000)
fn("CUresult cuTexRefGetMipmapLevelBias(float *pbias, CUtexref hTexRef)", later("textures and surfaces"), since=5000)
fn("""CUresult cuTexRefGetMipmapLevelClamp(float *pminMipmapLevelClamp, float *pmaxMipmapLevelClamp, CUtexref
   hTexRef)""",
   later("textures and surfaces"), since=5000)
fn("CUresult cuTexRefGetMipmappedArray(CUmipmappedArray *phMipmappedArray, CUtexref hTexRef)",
   later("textures and surfaces"), since=5000)
fn("""CUresult cuTexRefSetAddress(unsigned int *ByteOffset, CUtexref hTexRef, CUdeviceptr_v1 dptr, unsigned
   int bytes)""",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuTexRefSetAddress2D(CUtexref hTexRef, const CUDA_ARRAY_DESCRIPTOR_v1 *desc, CUdeviceptr_v1
   dptr, unsigned int Pitch)""",
   refused("addresses of 32 bits"), since=2020, old=True)
fn("""CUresult cuTexRefSetAddress2D_v2(CUtexref hTexRef, const CUDA_ARRAY_DESCRIPTOR *desc, CUdeviceptr dptr,
   size_t Pitch)""",
   later("textures and surfaces"), since=3020, old=True)
fn("""CUresult cuTexRefSetAddress2D_v3(CUtexref hTexRef, const CUDA_ARRAY_DESCRIPTOR *desc, CUdeviceptr dptr,
   size_t Pitch)""",
   later("textures and surfaces"), since=4010)
fn("CUresult cuTexRefSetAddressMode(CUtexref hTexRef, int dim, CUaddress_mode am)",
   later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefSetAddress_v2(size_t *ByteOffset, CUtexref hTexRef, CUdeviceptr dptr, size_t bytes)",
   later("textures and surfaces"), since=3020)
fn("CUresult cuTexRefSetArray(CUtexref hTexRef, CUarray hArray, unsigned int Flags)",
   later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefSetBorderColor(CUtexref hTexRef, float *pBorderColor)",
   later("textures and surfaces"), since=8000)
fn("CUresult cuTexRefSetFilterMode(CUtexref hTexRef, CUfilter_mode fm)", later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefSetFlags(CUtexref hTexRef, unsigned int Flags)", later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefSetFormat(CUtexref hTexRef, CUarray_format fmt, int NumPackedComponents)",
   later("textures and surfaces"), since=2000)
fn("CUresult cuTexRefSetMaxAnisotropy(CUtexref hTexRef, unsigned int maxAniso)",
   later("textures and surfaces"), since=5000)
fn("CUresult cuTexRefSetMipmapFilterMode(CUtexref hTexRef, CUfilter_mode fm)",
   later("textures and surfaces"), since=5000)
fn("CUresult cuTexRefSetMipmapLevelBias(CUtexref hTexRef, float bias)", later("textures and surfaces"), since=5000)
fn("CUresult cuTexRefSetMipmapLevelClamp(CUtexref hTexRef, float minMipmapLevelClamp, float maxMipmapLevelClamp)",
   later("textures and surfaces"), since=5000)
fn("CUresult cuTexRefSetMipmappedArray(CUtexref hTexRef, CUmipmappedArray hMipmappedArray, unsigned int Flags)",
   later("textures and surfaces"), since=5000)
