"""Initialisation, versions, errors, entry points, profiler switches."""

fn("CUresult cuInit(unsigned int Flags)", local(), since=2000)
fn("CUresult cuDriverGetVersion(int *driverVersion)", local(), since=2020)
fn("CUresult cuGetErrorName(CUresult error, const char **pStr)", local(), since=6000)
fn("CUresult cuGetErrorString(CUresult error, const char **pStr)", local(), since=6000)
fn("""CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags,
   CUdriverProcAddressQueryResult *symbolStatus)""",
   local(), since=12000)
fn("CUresult cuGetProcAddress(const char *symbol, void **pfn, int cudaVersion, cuuint64_t flags)",
   local(), since=11030, old=True)
fn("CUresult cuGetExportTable(const void **ppExportTable, const CUuuid *pExportTableId)", local(), since=3000)
fn("CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)", local(), since=10010)
fn("CUresult cuProfilerInitialize(const char *configFile, const char *outputFile, CUoutput_mode outputMode)",
   refused("the driver refuses it too, since CUDA 12"), since=4000, old=True)
fn("CUresult cuProfilerStart(void)", call(), since=4000, old=True)
fn("CUresult cuProfilerStop(void)", call(), since=4000, old=True)
