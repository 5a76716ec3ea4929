"""A driver of four functions and a message, small enough to read what the generator makes of each word."""

alias("CUdeviceptr", "unsigned long long")
alias("CUdevice", "int")
handle("CUstream", "CUstream_st")
handle("CUevent", "CUevent_st")
enum("CUresult", "CUDA_SUCCESS=0 CUDA_ERROR_INVALID_VALUE=1")
error_text("CUDA_SUCCESS", "no error")
error_text("CUDA_ERROR_INVALID_VALUE", "invalid argument")
constant("CU_STREAM_LEGACY", "((CUstream)0x1)")
