#include "smi/table.h"

#include <gtest/gtest.h>

#include "smi/details.h"

namespace bitfusion::smi {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// What NVIDIA's program, release 580, printed for such a GPU.
Gpu quadro() {
    Gpu gpu;
    gpu.name = "Quadro RTX 8000";
    gpu.bus_id = "00000000:15:00.0";
    gpu.persistence = false;
    gpu.display_active = false;
    gpu.ecc = false;
    gpu.fan_percent = 33;
    gpu.temperature = 30;
    gpu.performance_state = 8;
    gpu.power = 13200;
    gpu.power_limit = 260000;
    gpu.memory_used = 14453 * kMiB;
    gpu.memory_total = 49152 * kMiB;
    gpu.utilization = 1;
    gpu.compute_mode = "Default";
    return gpu;
}

std::string table_of(const Gpu& gpu) { return table({"580.159.03", 13000, {gpu}}, 0); }

TEST(Table, IsLaidOutAsNvidiasIs) {
    setenv("TZ", "UTC", 1);
    EXPECT_EQ(
        table_of(quadro()),
        "Thu Jan  1 00:00:00 1970       \n"
        "+-----------------------------------------------------------------------------------------+\n"
        "| NVIDIA-SMI 580.159.03             Driver Version: 580.159.03     CUDA Version: 13.0     |\n"
        "+-----------------------------------------+------------------------+----------------------+\n"
        "| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |\n"
        "| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |\n"
        "|                                         |                        |               MIG M. |\n"
        "|=========================================+========================+======================|\n"
        "|   0  Quadro RTX 8000                Off |   00000000:15:00.0 Off |                  Off |\n"
        "| 33%   30C    P8             13W /  260W |   14453MiB /  49152MiB |      1%      Default |\n"
        "|                                         |                        |                  N/A |\n"
        "+-----------------------------------------+------------------------+----------------------+\n"
        "\n"
        "+-----------------------------------------------------------------------------------------+\n"
        "| Processes:                                                                              |\n"
        "|  GPU   GI   CI              PID   Type   Process name                        GPU Memory |\n"
        "|        ID   ID                                                               Usage      |\n"
        "|=========================================================================================|\n"
        "|  No running processes found                                                             |\n"
        "+-----------------------------------------------------------------------------------------+\n");
}

TEST(Table, OtherGpusAsNvidiasIs) {
    Gpu gpu = quadro();
    gpu.name = "NVIDIA GeForce RTX 5090 Laptop GPU";
    gpu.persistence = true;
    gpu.bus_id = "00000000:01:00.0";
    gpu.ecc.reset();
    gpu.fan_percent.reset();
    gpu.temperature = 45;
    gpu.power = 5000;
    gpu.power_limit = 150000;
    EXPECT_NE(
        table_of(gpu).find(
            "|   0  NVIDIA GeForce RTX 5090 ...    On  |   00000000:01:00.0 Off |                  N/A |\n"
            "| N/A   45C    P8              5W /  150W |"),
        std::string::npos)
        << table_of(gpu);
    gpu.ecc = true;
    gpu.ecc_uncorrected_volatile = 0;
    gpu.mig = false;
    gpu.memory_used = 0;
    gpu.memory_total = 1024 * kMiB;
    EXPECT_NE(table_of(gpu).find("|                    0 |\n"), std::string::npos) << table_of(gpu);
    EXPECT_NE(table_of(gpu).find("|             Disabled |\n"), std::string::npos) << table_of(gpu);
    EXPECT_NE(table_of(gpu).find("|       0MiB /   1024MiB |"), std::string::npos) << table_of(gpu);
}

TEST(Table, AGpuThatTellsNothingKeepsTheColumns) {
    const std::string text = table_of(Gpu{});
    size_t at = text.find('\n') + 1;
    for (size_t end = text.find('\n', at); end != std::string::npos;
         at = end + 1, end = text.find('\n', at)) {
        if (end == at) continue;
        EXPECT_EQ(end - at, 91u) << text.substr(at, end - at);
    }
    EXPECT_NE(text.find("N/A /   N/A |"), std::string::npos) << text;
}

TEST(Table, ListsProcesses) {
    Gpu gpu = quadro();
    gpu.processes = {
        {2211, "/usr/bin/kwin_wayland", kMiB},
        {4000000000, "/a/very/long/path/that/does/not/fit/in/the/column/python3", 1234567 * kMiB}};
    const std::string text = table_of(gpu);
    EXPECT_NE(
        text.find(
            "|    0   N/A  N/A            2211      C   /usr/bin/kwin_wayland                     1MiB |\n"),
        std::string::npos)
        << text;
    EXPECT_NE(
        text.find(
            "|    0   N/A  N/A      4000000000      C   ...es/not/fit/in/the/column/python3 1234567MiB |\n"),
        std::string::npos)
        << text;
}

TEST(Table, CudaVersions) {
    EXPECT_EQ(cuda_text(13000), "13.0");
    EXPECT_EQ(cuda_text(12040), "12.4");
    EXPECT_EQ(cuda_text(std::nullopt), "N/A");
}

TEST(Details, HasOneFactALine) {
    const std::string text = details({"580.159.03", 13000, {quadro()}}, 0);
    EXPECT_NE(text.find("\nDriver Version                            : 580.159.03\n"), std::string::npos)
        << text;
    EXPECT_NE(text.find("\nAttached GPUs                             : 1\nGPU 00000000:15:00.0\n"
                        "    Product Name                          : Quadro RTX 8000\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("\n    FB Memory Usage\n        Total                             : 49152 MiB\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("\n    Serial Number                         : N/A\n"), std::string::npos) << text;
    EXPECT_NE(text.find("\n    Processes                             : None\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace bitfusion::smi
