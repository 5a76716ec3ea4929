// cuRAND: each kind of generator from the host, and states in a kernel.
// libraries: curand
#include <curand.h>
#include <curand_kernel.h>

#include "result.h"

namespace {

__global__ void draw(float* out, int count, unsigned long long seed) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    curandStatePhilox4_32_10_t state;
    curand_init(seed, at, 0, &state);
    if (at < count) out[at] = curand_normal(&state);
}

__global__ void draw_with_states(curandState* states, unsigned* out) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    curand_init(7, at, 0, &states[at]);
    out[at] = curand(&states[at]);
}

void generator(const char* name, curandRngType_t type) {
    curandGenerator_t made = nullptr;
    const OnDevice<float> out(100'000);
    SUCCEEDS(curandCreateGenerator(&made, type));
    SUCCEEDS(curandSetPseudoRandomGeneratorSeed(made, 1234));
    SUCCEEDS(curandGenerateUniform(made, out.get(), 100'000));
    double sum = 0;
    for (const float value : out.read()) sum += value;
    holds((std::string(name) + " is uniform").c_str(), std::fabs(sum / 100'000 - 0.5) < 0.01);
    tell(name, out.read());
    SUCCEEDS(curandGenerateNormal(made, out.get(), 100'000, 1.0f, 2.0f));
    tell((std::string(name) + " normal").c_str(), out.read());
    SUCCEEDS(curandDestroyGenerator(made));
}

}  // namespace

int main() {
    generator("xorwow", CURAND_RNG_PSEUDO_XORWOW);
    generator("mrg32k3a", CURAND_RNG_PSEUDO_MRG32K3A);
    generator("mtgp32", CURAND_RNG_PSEUDO_MTGP32);
    generator("mt19937", CURAND_RNG_PSEUDO_MT19937);
    generator("philox", CURAND_RNG_PSEUDO_PHILOX4_32_10);

    curandGenerator_t sobol = nullptr;
    const OnDevice<float> out(10'000);
    SUCCEEDS(curandCreateGenerator(&sobol, CURAND_RNG_QUASI_SOBOL32));
    SUCCEEDS(curandSetQuasiRandomGeneratorDimensions(sobol, 4));
    SUCCEEDS(curandGenerateUniform(sobol, out.get(), 10'000));
    tell("sobol", out.read());
    SUCCEEDS(curandDestroyGenerator(sobol));

    draw<<<40, 256>>>(out.get(), 10'000, 99);
    SUCCEEDS(cudaGetLastError());
    tell("in a kernel", out.read());
    const OnDevice<curandState> states(1024);
    const OnDevice<unsigned> bits(1024);
    draw_with_states<<<8, 128>>>(states.get(), bits.get());
    SUCCEEDS(cudaGetLastError());
    tell("states in memory", bits.read());
    return 0;
}
