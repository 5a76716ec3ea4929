#include <gtest/gtest.h>

#include "cli/commands.h"

namespace bitfusion::cli {
namespace {

GpuView gpu_of_the_guide() {
    GpuView gpu;
    gpu.name = "Tesla T4";
    gpu.memory_mib = 15109;
    gpu.free_mib = 15109;
    gpu.capability = "7.5";
    gpu.pci = "00000000:13:00.0";
    gpu.performance_state = "P8";
    gpu.compute_mode = "Default";
    gpu.memory_used_mib = 11;
    gpu.temperature_c = 36;
    gpu.fan_percent = 0;
    gpu.power_w = 10;
    gpu.power_limit_w = 70;
    gpu.utilization_percent = 0;
    gpu.ecc_errors = 0;
    gpu.persistence = false;
    return gpu;
}

Listed server(const std::string& ip, std::vector<GpuView> gpus) {
    ServerView view;
    view.endpoint = {ip, 56001};
    view.version = "1";
    view.driver_version = "440.64.00";
    view.gpus = std::move(gpus);
    return {view.endpoint, view};
}

TEST(Smi, IsTheTableOfTheGuide) {
    const std::string expected =
        "+----------------------------------------------------------------------------------------+\n"
        "| 172.16.31.243:56001                                          Driver Version: 440.64.00 |\n"
        "+--------------------------------------+-------------------------+-----------------------+\n"
        "| GPU  Name              Persistence-M | Virt Mem    Alloc / All | BusId  Vol Uncorr ECC |\n"
        "| Fan  Temp  Perf        Pwr:Usage/Cap | Phy Mem     Used  / All | GPU-Util   Compute M. |\n"
        "|======================================+=========================+=======================|\n"
        "| 0    Tesla T4               Disabled | 0       MB / 15109   MB | 00000000:13:00.0    0 |\n"
        "| 0 %   36C  P8             10W /  70W | 11      MB / 15109   MB |   0%          Default |\n"
        "+--------------------------------------+-------------------------+-----------------------+\n"
        "+----------------------------------------------------------------------------------------+\n"
        "| 172.16.31.241:56001                                                                    |\n"
        "+----------------------------------------------------------------------------------------+\n";
    EXPECT_EQ(
        smi_text({server("172.16.31.243", {gpu_of_the_guide()}), {{"172.16.31.241", 56001}, std::nullopt}}),
        expected);
    EXPECT_EQ(smi_text({server("172.16.31.243", {gpu_of_the_guide()}), server("172.16.31.241", {})}),
              expected);
}

TEST(Smi, EveryLineHasTheSameWidthWhateverTheGpuTells) {
    GpuView large = gpu_of_the_guide();
    large.ordinal = 15;
    large.name = "A graphics processor with a name that is longer than any column of this table";
    large.memory_mib = 99999999;
    large.allocated_mib = 99999999;
    large.memory_used_mib = 999999999;
    large.power_w = 1000;
    large.power_limit_w = 1000;
    large.temperature_c = 100;
    large.fan_percent = 100;
    large.utilization_percent = 100;
    large.ecc_errors = 123456;
    large.compute_mode = "Exclusive_Process";
    large.persistence = true;
    GpuView silent;
    silent.memory_mib = 1;
    const std::string text = smi_text({server("255.255.255.255", {large, silent})});
    size_t at = 0;
    while (at < text.size()) {
        const size_t end = text.find('\n', at);
        EXPECT_EQ(end - at, 90u) << text.substr(at, end - at);
        at = end + 1;
    }
    EXPECT_NE(text.find("N/A"), std::string::npos);
}

TEST(ListGpus, IsTheFormOfTheLastRelease) {
    GpuView gpu;
    gpu.name = "Tesla V100S-PCIE-32GB";
    gpu.capability = "7.0";
    gpu.memory_mib = 32510;
    gpu.free_mib = 32510;
    GpuView second = gpu;
    second.ordinal = 1;
    Listed leader = server("10.1.202.21", {gpu, second});
    leader.view->leader = true;
    EXPECT_EQ(list_gpus_text({leader, server("10.1.202.20", {})}),
              " - server 0 (leader)  [10.1.202.21:56001]: running 0 tasks\n"
              "   |- GPU [0]: free memory (32510 / 32510MiB) Tesla V100S-PCIE-32GB (7.0)\n"
              "   |- GPU [1]: free memory (32510 / 32510MiB) Tesla V100S-PCIE-32GB (7.0)\n"
              " - server 1 [10.1.202.20:56001]: running 0 tasks\n");
}

}  // namespace
}  // namespace bitfusion::cli
