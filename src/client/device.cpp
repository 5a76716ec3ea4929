#include "client/device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "client/session.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

struct Facts {
    int driver_version = CUDA_VERSION;
    std::optional<image::DigestKey> image_key;
    std::vector<wire::DeviceFacts> devices;
    std::vector<wire::AttributeFact> peers;  // [from][to][CUdevice_P2PAttribute]; see kPeerFacts
};

// Index 0 is whether peer access is possible; the rest are CUdevice_P2PAttribute values.
constexpr int kPeerFacts = 5;
constexpr size_t kMostDevices = 64;  // as context.cpp keeps them; no server has more

Facts& facts() {
    static Facts* const made = std::make_unique<Facts>().release();  // outlives every exit handler
    return *made;
}

// Attributes that a remote device has differently, whatever the hardware says (docs/life-of-a-call.md,
// "devices").
bool overridden(int attribute, int* value) {
    switch (attribute) {
        case CU_DEVICE_ATTRIBUTE_INTEGRATED:
        case CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS:
        case CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST:
        case CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS:
        case CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES:
        case CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM:
        case CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED:
        case CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_SUPPORTED:
        case CU_DEVICE_ATTRIBUTE_GPU_DIRECT_RDMA_WITH_CUDA_VMM_SUPPORTED:
        case CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED:
        case CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_FABRIC_SUPPORTED:
        case CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED:
        case CU_DEVICE_ATTRIBUTE_COOPERATIVE_MULTI_DEVICE_LAUNCH:
        case CU_DEVICE_ATTRIBUTE_UNIFIED_FUNCTION_POINTERS:
        case CU_DEVICE_ATTRIBUTE_MEM_DECOMPRESS_ALGORITHM_MASK:
        case CU_DEVICE_ATTRIBUTE_SPARSE_CUDA_ARRAY_SUPPORTED:
        case CU_DEVICE_ATTRIBUTE_DEFERRED_MAPPING_CUDA_ARRAY_SUPPORTED:
            *value = 0;
            return true;
        case CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID:
            *value = -1;
            return true;
        case CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES:
            *value &= CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
            return true;
        default:
            return false;
    }
}

const wire::AttributeFact* peer_fact(CUdevice from, CUdevice to, int index) {
    const size_t at =
        (static_cast<size_t>(from) * facts().devices.size() + static_cast<size_t>(to)) * kPeerFacts +
        static_cast<size_t>(index);
    return at < facts().peers.size() ? &facts().peers[at] : nullptr;
}

}  // namespace

CUresult attach_devices(Session* session) {
    const char* visible = getenv("CUDA_VISIBLE_DEVICES");
    msg::Attach m;
    const std::string asked = visible == nullptr ? "*" : visible;
    m.visible = asked;
    Facts found;
    bool good = false;
    const CUresult result = session->call(
        msg::Attach::kId, m.size(), [&](wire::Writer& w) { m.encode(w); },
        [&](wire::Reader& r) {
            msg::Attach::Reply reply;
            reply.decode(r);
            found.driver_version = reply.driver_version;
            if (reply.image_key.size() == image::kDigestKeyBytes) {
                found.image_key.emplace();
                memcpy(found.image_key->data(), reply.image_key.data(), image::kDigestKeyBytes);
            }
            wire::Reader devices(reply.devices);
            good =
                !r.faulty() && wire::decode(devices, &found.devices) && found.devices.size() <= kMostDevices;
            found.peers.resize(reply.peers.size() / sizeof(wire::AttributeFact));
            if (!found.peers.empty())
                memcpy(found.peers.data(), reply.peers.data(),
                       found.peers.size() * sizeof(wire::AttributeFact));
        });
    if (result != CUDA_SUCCESS) return result;
    if (!good) return CUDA_ERROR_UNKNOWN;
    for (wire::DeviceFacts& device : found.devices) {
        for (size_t i = 0; i < device.attributes.size(); ++i) {
            if (device.attributes[i].result == CUDA_SUCCESS)
                overridden(static_cast<int>(i), &device.attributes[i].value);
        }
    }
    facts() = std::move(found);
    return CUDA_SUCCESS;
}

int device_count() { return static_cast<int>(facts().devices.size()); }
int driver_version() { return facts().driver_version; }
const std::optional<image::DigestKey>& image_key() { return facts().image_key; }

const wire::DeviceFacts* device_facts(CUdevice device) {
    if (device < 0 || device >= device_count()) return nullptr;
    return &facts().devices[static_cast<size_t>(device)];
}

int attribute_of(CUdevice device, CUdevice_attribute attribute) {
    int value = -1;
    return cuDeviceGetAttribute(&value, attribute, device) == CUDA_SUCCESS ? value : -1;
}

CUresult cuDriverGetVersion(int* driverVersion) {
    if (driverVersion == nullptr) return CUDA_ERROR_INVALID_VALUE;
    // Runtimes ask before cuInit and refuse to go on with an old driver: the server's version has to be known
    // here.
    ensure_session();
    *driverVersion = driver_version();
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int* count) {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *count = device_count();
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (device_facts(ordinal) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char* name, int len, CUdevice dev) {
    if (name == nullptr || len <= 0) return CUDA_ERROR_INVALID_VALUE;
    const wire::DeviceFacts* d = device_facts(dev);
    if (d == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    snprintf(name, static_cast<size_t>(len), "%s", d->name.c_str());
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice dev) {
    if (uuid == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const wire::DeviceFacts* d = device_facts(dev);
    if (d == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    memcpy(uuid->bytes, d->uuid.data(), sizeof uuid->bytes);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice dev) {
    if (uuid == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const wire::DeviceFacts* d = device_facts(dev);
    if (d == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    memcpy(uuid->bytes, d->uuid_second.data(), sizeof uuid->bytes);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetLuid(char* luid, unsigned int* deviceNodeMask, CUdevice dev) {
    const wire::DeviceFacts* d = device_facts(dev);
    if (d == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    if (d->luid_result != CUDA_SUCCESS) return static_cast<CUresult>(d->luid_result);
    if (luid == nullptr || deviceNodeMask == nullptr) return CUDA_ERROR_INVALID_VALUE;
    memcpy(luid, d->luid.data(), d->luid.size());
    *deviceNodeMask = d->node_mask;
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice dev) {
    if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const wire::DeviceFacts* d = device_facts(dev);
    if (d == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    *bytes = d->total_bytes;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* pi, CUdevice_attribute attrib, CUdevice dev) {
    if (pi == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const wire::DeviceFacts* d = device_facts(dev);
    if (d == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const auto index = static_cast<size_t>(attrib);
    if (attrib <= 0 || index >= d->attributes.size()) return CUDA_ERROR_INVALID_VALUE;
    const wire::AttributeFact& fact = d->attributes[index];
    if (fact.result == CUDA_SUCCESS) *pi = fact.value;
    return static_cast<CUresult>(fact.result);
}

CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice dev) {
    if (major == nullptr || minor == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = cuDeviceGetAttribute(major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, dev);
    if (result != CUDA_SUCCESS) return result;
    return cuDeviceGetAttribute(minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, dev);
}

CUresult cuDeviceGetProperties(CUdevprop* prop, CUdevice dev) {
    if (prop == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (device_facts(dev) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const auto of = [&](CUdevice_attribute a) { return attribute_of(dev, a); };
    *prop = CUdevprop{};
    prop->maxThreadsPerBlock = of(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    prop->maxThreadsDim[0] = of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X);
    prop->maxThreadsDim[1] = of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y);
    prop->maxThreadsDim[2] = of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z);
    prop->maxGridSize[0] = of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X);
    prop->maxGridSize[1] = of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y);
    prop->maxGridSize[2] = of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z);
    prop->sharedMemPerBlock = of(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
    prop->totalConstantMemory = of(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY);
    prop->SIMDWidth = of(CU_DEVICE_ATTRIBUTE_WARP_SIZE);
    prop->memPitch = of(CU_DEVICE_ATTRIBUTE_MAX_PITCH);
    prop->regsPerBlock = of(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK);
    prop->clockRate = of(CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
    prop->textureAlign = of(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(char* pciBusId, int len, CUdevice dev) {
    if (pciBusId == nullptr || len <= 0) return CUDA_ERROR_INVALID_VALUE;
    const wire::DeviceFacts* d = device_facts(dev);
    if (d == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    snprintf(pciBusId, static_cast<size_t>(len), "%s", d->pci_bus.c_str());
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetByPCIBusId(CUdevice* dev, const char* pciBusId) {
    if (dev == nullptr || pciBusId == nullptr) return CUDA_ERROR_INVALID_VALUE;
    // "[domain:]bus:device[.function]", in hexadecimal
    unsigned domain = 0;
    unsigned bus = 0;
    unsigned slot = 0;
    if (sscanf(pciBusId, "%x:%x:%x", &domain, &bus, &slot) != 3) {
        domain = 0;
        if (sscanf(pciBusId, "%x:%x", &bus, &slot) != 2) return CUDA_ERROR_INVALID_VALUE;
    }
    for (CUdevice d = 0; d < device_count(); ++d) {
        if (attribute_of(d, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID) == static_cast<int>(domain) &&
            attribute_of(d, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID) == static_cast<int>(bus) &&
            attribute_of(d, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID) == static_cast<int>(slot)) {
            *dev = d;
            return CUDA_SUCCESS;
        }
    }
    return CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceCanAccessPeer(int* canAccessPeer, CUdevice dev, CUdevice peerDev) {
    if (canAccessPeer == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (device_facts(dev) == nullptr || device_facts(peerDev) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const wire::AttributeFact* fact = peer_fact(dev, peerDev, 0);
    *canAccessPeer = fact != nullptr && fact->result == CUDA_SUCCESS ? fact->value : 0;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetP2PAttribute(int* value, CUdevice_P2PAttribute attrib, CUdevice srcDevice,
                                 CUdevice dstDevice) {
    if (value == nullptr || attrib < 1 || attrib >= kPeerFacts) return CUDA_ERROR_INVALID_VALUE;
    if (device_facts(srcDevice) == nullptr || device_facts(dstDevice) == nullptr || srcDevice == dstDevice)
        return CUDA_ERROR_INVALID_DEVICE;
    const wire::AttributeFact* fact = peer_fact(srcDevice, dstDevice, attrib);
    if (fact == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (fact->result == CUDA_SUCCESS) *value = fact->value;
    return static_cast<CUresult>(fact->result);
}

}  // namespace bitfusion::client
