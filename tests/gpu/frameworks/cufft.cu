// cuFFT: one, two and three dimensions, real and complex, batches, a length that is no power of two.
// libraries: cufft
#include <cufft.h>

#include "result.h"

namespace {

using Complex = std::complex<float>;

cufftComplex* raw(const OnDevice<Complex>& memory) { return reinterpret_cast<cufftComplex*>(memory.get()); }

std::vector<Complex> signal(std::size_t count, std::uint32_t seed) {
    const auto parts = mixed<float>(2 * count, seed);
    std::vector<Complex> values(count);
    for (std::size_t at = 0; at < count; ++at) values[at] = {parts[2 * at], parts[2 * at + 1]};
    return values;
}

void there_and_back(const char* name, int length, int batch) {
    const auto values = signal(static_cast<std::size_t>(length) * batch, 11);
    const OnDevice<Complex> in(values), out(values.size());
    cufftHandle plan = 0;
    SUCCEEDS(cufftPlan1d(&plan, length, CUFFT_C2C, batch));
    SUCCEEDS(cufftExecC2C(plan, raw(in), raw(out), CUFFT_FORWARD));
    tell(name, out.read());
    SUCCEEDS(cufftExecC2C(plan, raw(out), raw(in), CUFFT_INVERSE));
    auto back = in.read();
    for (auto& value : back) value /= static_cast<float>(length);
    holds((std::string(name) + ", back").c_str(), farthest(back, values) < 1e-4);
    SUCCEEDS(cufftDestroy(plan));
}

}  // namespace

int main() {
    there_and_back("4096 points", 4096, 8);
    there_and_back("1001 points", 1001, 3);
    there_and_back("prime length", 10007, 1);

    const OnDevice<float> real(mixed<float>(64 * 64, 12));
    const OnDevice<Complex> half(64 * 33);
    cufftHandle plan = 0;
    SUCCEEDS(cufftPlan2d(&plan, 64, 64, CUFFT_R2C));
    SUCCEEDS(cufftExecR2C(plan, real.get(), raw(half)));
    tell("two dimensions", half.read());
    SUCCEEDS(cufftDestroy(plan));

    cudaStream_t stream = nullptr;
    SUCCEEDS(cudaStreamCreate(&stream));
    const OnDevice<Complex> cube(signal(32 * 32 * 32, 13));
    SUCCEEDS(cufftPlan3d(&plan, 32, 32, 32, CUFFT_C2C));
    SUCCEEDS(cufftSetStream(plan, stream));
    SUCCEEDS(cufftExecC2C(plan, raw(cube), raw(cube), CUFFT_FORWARD));
    SUCCEEDS(cudaStreamSynchronize(stream));
    tell("three dimensions", cube.read());
    SUCCEEDS(cufftDestroy(plan));
    SUCCEEDS(cudaStreamDestroy(stream));
    return 0;
}
