// A classifier with one hidden layer, kept and trained in device memory: 64 pixels -> 32 (ReLU) -> 10
// (softmax).
//
// All arithmetic is done by the kernels of digits_kernels.ptx; the host only posts launches. One thread.
#pragma once

#include "digits/dataset.h"
#include "digits/gpu.h"

namespace digits {

struct Training {
    unsigned batch = 32;    // images per step
    float rate = 0.05f;     // learning rate
    float momentum = 0.9f;  // share of the previous step that is kept
};

struct Score {
    float loss = 0;      // mean cross entropy, natural logarithm
    float accuracy = 0;  // share of images whose most probable digit is the right one
};

class Network {
  public:
    // capacity: the largest number of images that train and evaluate will see.
    Network(const Gpu& gpu, unsigned capacity, Random& random);

    // One pass over set in its order; the score is that of each image just before it was learned from.
    Score train(const Dataset& set, const Training& training);

    // The score of set; learns nothing.
    Score evaluate(const Dataset& set);

  private:
    static constexpr unsigned kHidden = 32;
    // All weights lie in one buffer, so that one launch updates them all: offsets in elements.
    static constexpr unsigned kFirstWeights = 0;
    static constexpr unsigned kFirstBias = kFirstWeights + kPixels * kHidden;
    static constexpr unsigned kSecondWeights = kFirstBias + kHidden;
    static constexpr unsigned kSecondBias = kSecondWeights + kHidden * kClasses;
    static constexpr unsigned kWeights = kSecondBias + kClasses;

    void upload(const Dataset& set);
    void forward(unsigned first, unsigned rows);
    void backward(unsigned first, unsigned rows);
    Score score(unsigned rows) const;

    const Gpu& gpu_;
    CUfunction matmul_, bias_relu_, relu_backward_, softmax_, column_sums_, sgd_;
    Buffer<float> weights_, gradients_, velocities_;
    Buffer<float> images_;
    Buffer<uint32_t> labels_, hits_;
    Buffer<float> hidden_, hidden_gradient_, logits_, logits_gradient_, losses_;
};

}  // namespace digits
