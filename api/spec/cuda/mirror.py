"""Mirrors: host memory of the program that kernels reach. No function of CUDA is among these."""

message("MirrorMap", "call", "u64 wish, u64 byte_count", "u64 device", doc="Whole pages of zeros in the worker that kernels reach; at the wished address if nothing is there.")
message("MirrorUnmap", "post", "u64 device", waits=True, doc="Ends a MirrorMap.")
message("MirrorIn", "post", "bytes runs, bulk data", doc="What the program changed, written at once for all work that follows. The runs say where (src/wire/changes.h).")
message("MirrorOut", "call", "u64 device, u64 byte_count", "bulk data", doc="Managed memory as it is now, in no stream's order.")
message("MirrorChanges", "call", "", "u32 more, bytes runs, bytes data", doc="What kernels changed in mapped memory since the last answer. more: ask again.")
message("MirrorChanged", "event", "bytes runs, bytes data", doc="The same unasked, before each completion, while there is little mapped memory (kMostAnnounced).")
