"""Memory and events shared between processes."""

fn("CUresult cuIpcCloseMemHandle(CUdeviceptr dptr)", later("memory shared between processes"), since=4010)
fn("CUresult cuIpcGetEventHandle(CUipcEventHandle *pHandle, CUevent event)",
   later("memory shared between processes"), since=4010)
fn("CUresult cuIpcGetMemHandle(CUipcMemHandle *pHandle, CUdeviceptr dptr)",
   later("memory shared between processes"), since=4010)
fn("CUresult cuIpcOpenEventHandle(CUevent *phEvent, CUipcEventHandle handle)",
   later("memory shared between processes"), since=4010)
fn("CUresult cuIpcOpenMemHandle(CUdeviceptr *pdptr, CUipcMemHandle handle, unsigned int Flags)",
   later("memory shared between processes"), since=4010, old=True)
fn("CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *pdptr, CUipcMemHandle handle, unsigned int Flags)",
   later("memory shared between processes"), since=11000)
