#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/launch.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

// Events that the launch itself records: after the kernel, which is the latest point that both kinds allow.
CUresult record_events(const ContextPtr& context, const StreamPtr& stream, const KernelWork& work) {
    for (const CUlaunchAttribute& attribute : work.attributes) {
        CUevent handle = nullptr;
        if (attribute.id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT)
            handle = attribute.value.programmaticEvent.event;
        else if (attribute.id == CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT)
            handle = attribute.value.launchCompletionEvent.event;
        else
            continue;
        const EventPtr event = driver().events.find(handle);
        if (event == nullptr || event->timed()) return CUDA_ERROR_INVALID_VALUE;
        bool handled = false;
        CUresult result = capture_record(*stream, *event, false, &handled);
        if (result == CUDA_SUCCESS && !handled) result = submit(context, stream, RecordWork{event});
        if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
}

CUresult launch_on(CUstream handle, const LaunchParameters& launch) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        KernelWork work;
        CUresult result = plan_launch(context, launch, &work);
        if (result != CUDA_SUCCESS) return result;
        const KernelWork events{.attributes = work.attributes};
        result = submit(context, stream, std::move(work));
        return result != CUDA_SUCCESS ? result : record_events(context, stream, events);
    });
}

CUresult cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                        unsigned int block_x, unsigned int block_y, unsigned int block_z,
                        unsigned int shared_bytes, CUstream stream, void** parameters, void** extra) {
    LaunchParameters launch;
    launch.function = function;
    launch.grid[0] = grid_x;
    launch.grid[1] = grid_y;
    launch.grid[2] = grid_z;
    launch.block[0] = block_x;
    launch.block[1] = block_y;
    launch.block[2] = block_z;
    launch.shared_bytes = shared_bytes;
    launch.kernel_parameters = parameters;
    launch.extra = extra;
    return launch_on(stream, launch);
}

CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y,
                                   unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                                   unsigned int block_z, unsigned int shared_bytes, CUstream stream,
                                   void** parameters) {
    LaunchParameters launch;
    launch.function = function;
    launch.grid[0] = grid_x;
    launch.grid[1] = grid_y;
    launch.grid[2] = grid_z;
    launch.block[0] = block_x;
    launch.block[1] = block_y;
    launch.block[2] = block_z;
    launch.shared_bytes = shared_bytes;
    launch.cooperative = true;
    launch.kernel_parameters = parameters;
    return launch_on(stream, launch);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function, void** parameters,
                          void** extra) {
    return entry_in_context([&](const ContextPtr&) {
        if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
        LaunchParameters launch;
        launch.function = function;
        launch.grid[0] = config->gridDimX;
        launch.grid[1] = config->gridDimY;
        launch.grid[2] = config->gridDimZ;
        launch.block[0] = config->blockDimX;
        launch.block[1] = config->blockDimY;
        launch.block[2] = config->blockDimZ;
        launch.shared_bytes = config->sharedMemBytes;
        launch.kernel_parameters = parameters;
        launch.extra = extra;
        launch.attributes = config->attrs;
        launch.attribute_count = config->numAttrs;
        return launch_on(config->hStream, launch);
    });
}

}  // namespace

void serve_launches(DriverTable* table) {
    BF_SERVE(cuLaunchKernel);
    BF_SERVE(cuLaunchCooperativeKernel);
    BF_SERVE(cuLaunchKernelEx);
}

}  // namespace bitfusion::soft
