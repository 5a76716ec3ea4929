#include <array>
#include <cstring>

#include "base/log.h"
#include "worker/capture.h"
#include "worker/kernel_arguments.h"
#include "worker/launch_attributes.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

constexpr uint32_t kCooperative = 1;
constexpr uint32_t kWithAttributes = 2;
constexpr size_t kMostAttributes = 64;
// Kinds of a HostFunction.
constexpr uint32_t kCallback = 1;
constexpr uint32_t kRecorded = 2;

}  // namespace

CUresult localise_attribute(Session& s, CUlaunchAttribute* attribute) {
    CUresult result = CUDA_SUCCESS;
    CUlaunchAttributeValue& value = attribute->value;
    switch (attribute->id) {
        case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
            value.programmaticEvent.event =
                s.handles.find<CUevent>(reinterpret_cast<uint64_t>(value.programmaticEvent.event), &result);
            break;
        case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
            value.launchCompletionEvent.event = s.handles.find<CUevent>(
                reinterpret_cast<uint64_t>(value.launchCompletionEvent.event), &result);
            break;
        case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
            if (value.accessPolicyWindow.num_bytes != 0 &&
                !s.memory.within(reinterpret_cast<uint64_t>(value.accessPolicyWindow.base_ptr),
                                 value.accessPolicyWindow.num_bytes)) {
                result = CUDA_ERROR_INVALID_VALUE;
            }
            break;
        case CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE:
            result = CUDA_ERROR_NOT_SUPPORTED;
            break;
        default:
            break;
    }
    return result;
}

CUresult decode_attributes(Session& s, std::span<const uint8_t> bytes,
                           std::vector<CUlaunchAttribute>* attributes) {
    const size_t count = bytes.size() / sizeof(CUlaunchAttribute);
    if (count * sizeof(CUlaunchAttribute) != bytes.size() || count > kMostAttributes)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult result = CUDA_SUCCESS;
    for (size_t i = 0; i < count; ++i) {
        CUlaunchAttribute a{};
        memcpy(&a, bytes.data() + i * sizeof a, sizeof a);
        if (result == CUDA_SUCCESS) result = localise_attribute(s, &a);
        attributes->push_back(a);
    }
    return result;
}

void serve(Session& s, const Frame& frame, const msg::Launch& m) {
    CUresult result = CUDA_SUCCESS;
    const CUfunction function = s.handles.find<CUfunction>(m.function, &result);
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result != CUDA_SUCCESS) return s.posted(frame, result);

    KernelArguments arguments;
    result = arguments.unpack(s, m.function, m.arguments);
    if (result != CUDA_SUCCESS) return s.posted(frame, result);
    void** const parameters = arguments.pointers();
    if (!arguments.launched_before()) {
        result = s.overhead.may_launch(s.current_device(), s.context_name(), function);
        if (result != CUDA_SUCCESS) return s.posted(frame, result);
    }

    std::vector<CUlaunchAttribute> attributes;
    if ((m.flags & kWithAttributes) != 0) {
        result = decode_attributes(s, m.attributes, &attributes);
        if (result != CUDA_SUCCESS) return s.posted(frame, result);
    } else if ((m.flags & kCooperative) != 0) {
        CUlaunchAttribute cooperative{};
        cooperative.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE;
        cooperative.value.cooperative = 1;
        attributes.push_back(cooperative);
    }
    if (attributes.empty()) {
        result = s.driver.cuLaunchKernel(function, m.grid_x, m.grid_y, m.grid_z, m.block_x, m.block_y,
                                         m.block_z, m.shared_bytes, stream, parameters, nullptr);
    } else {
        CUlaunchConfig config{};
        config.gridDimX = m.grid_x;
        config.gridDimY = m.grid_y;
        config.gridDimZ = m.grid_z;
        config.blockDimX = m.block_x;
        config.blockDimY = m.block_y;
        config.blockDimZ = m.block_z;
        config.sharedMemBytes = m.shared_bytes;
        config.hStream = stream;
        config.attrs = attributes.data();
        config.numAttrs = static_cast<unsigned>(attributes.size());
        result = s.driver.cuLaunchKernelEx == nullptr
                     ? CUDA_ERROR_NOT_SUPPORTED
                     : s.driver.cuLaunchKernelEx(&config, function, parameters, nullptr);
    }
    if (result == CUDA_SUCCESS) {
        arguments.launched();
    } else {
        BF_LOG("worker", kInfo,
               "launch refused: grid %u %u %u block %u %u %u shared %u flags %u, %zu parameters in %zu bytes",
               m.grid_x, m.grid_y, m.grid_z, m.block_x, m.block_y, m.block_z, m.shared_bytes, m.flags,
               arguments.count(), m.arguments.size());
    }
    s.posted(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::HostFunction& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result != CUDA_SUCCESS) return s.posted(frame, result);
    if (m.kind == kRecorded) {
        result = record_host_function(s, frame, stream, m.ticket);
        return s.posted(frame, result);
    }
    HostFunctions::Point* point = s.host_functions.make(m.ticket);
    if (point == nullptr) return s.peer_is_wrong(frame, "ticket");
    // Inside a capture it would be passed by each launch, and is gone after the first.
    if (m.kind != kCallback && s.is_capturing(stream))
        result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    else if (m.kind == kCallback)  // the driver itself refuses these in captures
        result = s.driver.cuStreamAddCallback == nullptr
                     ? CUDA_ERROR_NOT_SUPPORTED
                     : s.driver.cuStreamAddCallback(stream, pass_callback_point, point, 0);
    else
        result = s.driver.cuLaunchHostFunc == nullptr
                     ? CUDA_ERROR_NOT_SUPPORTED
                     : s.driver.cuLaunchHostFunc(stream, pass_host_point, point);
    if (result != CUDA_SUCCESS) s.host_functions.drop(m.ticket);
    s.posted(frame, result);
}

void serve(Session& s, const Frame&, const msg::HostFunctionDone& m) { s.host_functions.done(m.pass); }

void serve(Session& s, const Frame& frame, const msg::OccupancyClusters& m) {
    CUresult result = CUDA_SUCCESS;
    const CUfunction function = s.handles.find<CUfunction>(m.function, &result);
    CUlaunchConfig config{};
    config.hStream = s.handles.find<CUstream>(m.stream, &result);
    config.gridDimX = m.grid_x;
    config.gridDimY = m.grid_y;
    config.gridDimZ = m.grid_z;
    config.blockDimX = m.block_x;
    config.blockDimY = m.block_y;
    config.blockDimZ = m.block_z;
    config.sharedMemBytes = m.shared_bytes;
    std::vector<CUlaunchAttribute> attributes;
    if (result == CUDA_SUCCESS) result = decode_attributes(s, m.attributes, &attributes);
    config.attrs = attributes.data();
    config.numAttrs = static_cast<unsigned>(attributes.size());
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    const auto ask = m.potential != 0 ? s.driver.cuOccupancyMaxPotentialClusterSize
                                      : s.driver.cuOccupancyMaxActiveClusters;
    int value = 0;
    if (result == CUDA_SUCCESS)
        result = ask == nullptr ? CUDA_ERROR_NOT_SUPPORTED : ask(&value, function, &config);
    s.reply_with(frame, result, msg::OccupancyClusters::Reply{value});
}

}  // namespace bitfusion::worker
