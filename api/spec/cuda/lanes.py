"""Lanes: further connections of a session, over which the data of large linear copies travel (docs/wire.md)."""

message("LanesOpen", "call", "u32 count", "u32 worker, bytes secrets", doc="So many lanes at most, once a session: where they lead, and one secret of 32 bytes for each.")
message("LaneReady", "event", doc="The worker's first message on a lane: it is one.")
message("LaneData", "post", "u64 copy, u64 offset, bulk data", doc="A piece of a CopyInLanes; on lanes only.")
message("CopyInLanes", "post", "u64 device, u64 byte_count, u64 stream, u64 copy", doc="Host to device: the data come over lanes, under this number; numbers grow.")
message("CopyOutLanes", "call", "u64 device, u64 byte_count, u64 stream, u64 ticket", "u64 byte_count, i32 status", doc="Device to host, awaited: the data come over lanes as CopyOutData; the answer says how many were sent.")
message("CopyOutLanesLater", "post", "u64 device, u64 byte_count, u64 stream, u64 ticket", doc="Device to pinned host memory: the data come over lanes as CopyOutData, and CopyOutSent when all have been sent.")
message("CopyOutSent", "event", "u64 ticket, u64 byte_count", doc="So many bytes of a CopyOutLanesLater were sent over lanes; what follows counts on all of them.")
