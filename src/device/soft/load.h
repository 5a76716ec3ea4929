// Load: when kernels of software GPUs run, for whoever keeps account of it (the worker, for NVML).
#pragma once

namespace bitfusion::soft {

// Called on the threads that run kernels, at their begin and end; must be quick. busy_percent() is asked by
// the software GPU's NVML: the share of the last second, over all programs that use the GPU.
class LoadKeeper {
  public:
    virtual ~LoadKeeper() = default;
    virtual void begin(int gpu) = 0;
    virtual void end(int gpu) = 0;
    virtual unsigned busy_percent(int gpu) = 0;
};

// One for the process, before the first kernel; it must live as long as the process, as the GPU's threads do.
void keep_load(LoadKeeper* keeper);
LoadKeeper* load_keeper();  // nullptr: nobody keeps it

// A kernel, for the time of its life.
class LoadOfKernel {
  public:
    explicit LoadOfKernel(int gpu) : keeper_(load_keeper()), gpu_(gpu) {
        if (keeper_ != nullptr) keeper_->begin(gpu_);
    }
    ~LoadOfKernel() {
        if (keeper_ != nullptr) keeper_->end(gpu_);
    }
    LoadOfKernel(const LoadOfKernel&) = delete;
    LoadOfKernel& operator=(const LoadOfKernel&) = delete;

  private:
    LoadKeeper* keeper_;
    int gpu_;
};

}  // namespace bitfusion::soft
