#include "smi/options.h"

#include <CLI/CLI.hpp>

namespace bitfusion::smi {
namespace {

constexpr unsigned kMostSeconds = 86400;
constexpr unsigned kMsPerSecond = 1000;

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> words;
    std::istringstream rest(text);
    for (std::string word; std::getline(rest, word, ',');) {
        word.erase(0, word.find_first_not_of(' '));
        word.erase(word.find_last_not_of(' ') + 1);
        if (!word.empty()) words.push_back(word);
    }
    return words;
}

}  // namespace

Result<Options> parse_options(int argc, const char* const* argv) {
    CLI::App app(
        "Shows the GPUs of this bitfusion session, in the layouts of NVIDIA's program of this name.\n"
        "Where NVIDIA's own is installed, 'bitfusion run' leaves the name to it.",
        "nvidia-smi");
    std::string ids, gpu_fields, app_fields, format;
    unsigned seconds = 0;
    unsigned milliseconds = 0;
    bool list = false, details = false, fields = false, version = false;
    app.add_flag("-L,--list-gpus", list, "one line for each GPU");
    app.add_flag("-q,--query", details, "every fact of every GPU");
    app.add_option("-i,--id", ids, "only these GPUs: indexes, UUIDs or bus ids, separated by commas");
    app.add_option("-l,--loop", seconds, "again every so many seconds")
        ->expected(0, 1)
        ->default_str("5")
        ->check(CLI::Range(1u, kMostSeconds));
    app.add_option("--loop-ms", milliseconds, "again every so many milliseconds; also -lms")
        ->check(CLI::Range(1u, kMostSeconds * kMsPerSecond));
    app.add_option("--query-gpu", gpu_fields, "these fields of each GPU; see --help-query-gpu");
    app.add_option("--query-compute-apps", app_fields,
                   "these fields of each program: pid, process_name, used_gpu_memory, gpu_uuid, ...");
    app.add_option("--format", format, "with a query: csv[,noheader][,nounits]");
    app.add_flag("--help-query-gpu", fields, "lists the fields");
    app.add_flag("--version", version, "versions of driver and library");
    std::vector<std::string> words;
    for (int i = argc - 1; i > 0; --i) {  // CLI11 takes them from the back
        const std::string word = argv[i];
        words.push_back(word == "-lms" ? "--loop-ms" : word);
    }
    Options options;
    try {
        app.parse(words);
    } catch (const CLI::CallForHelp&) {
        options.what = What::kHelp;
        options.help = app.help();
        return options;
    } catch (const CLI::ParseError& error) {
        return fail(std::string("Invalid combination of input arguments: ") + error.what() +
                    "; please run 'nvidia-smi -h' for help");
    }
    options.gpus = split(ids);
    options.repeat_ms = milliseconds != 0 ? milliseconds : seconds * kMsPerSecond;
    if (fields) options.what = What::kGpuFields;
    if (version) options.what = What::kVersion;
    if (list) options.what = What::kList;
    if (details) options.what = What::kDetails;
    if (gpu_fields.empty() && app_fields.empty()) {
        if (!format.empty()) return fail("--format needs --query-gpu or --query-compute-apps");
        return options;
    }
    if (!gpu_fields.empty() && !app_fields.empty())
        return fail("only one of --query-gpu and --query-compute-apps can be asked at a time");
    options.what = app_fields.empty() ? What::kQueryGpus : What::kQueryProcesses;
    options.fields = split(app_fields.empty() ? gpu_fields : app_fields);
    if (format.empty()) return fail("a query needs --format: --format=csv[,noheader][,nounits]");
    auto parsed = parse_format(format);
    if (!parsed) return tl::unexpected(parsed.error());
    options.format = *parsed;
    return options;
}

}  // namespace bitfusion::smi
