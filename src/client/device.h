// Devices: every static fact of the session's devices, fetched once by Attach when the session opens.
// Written before session() is visible, read by any thread afterwards.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "cuda_types.gen.h"
#include "image/digest.h"
#include "wire/facts.h"

namespace bitfusion::client {

class Session;

// Asks the worker for the devices that CUDA_VISIBLE_DEVICES leaves.
CUresult attach_devices(Session* session);

int device_count();
const wire::DeviceFacts* device_facts(CUdevice device);  // nullptr: no such device
int driver_version();
// Of the server's cache of code images; nothing when it has none for this session.
const std::optional<image::DigestKey>& image_key();
// -1 when the device has no such attribute.
int attribute_of(CUdevice device, CUdevice_attribute attribute);

}  // namespace bitfusion::client
