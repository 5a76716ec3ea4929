#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/redact.h"
#include "cli/report.h"
#include "cli/rest_client.h"
#include "cli/tool.h"
#include "health/node.h"

namespace bitfusion::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMostLogBytes = 8 << 20;

std::string utc(const char* format) {
    const std::time_t now = time(nullptr);
    tm parts{};
    gmtime_r(&now, &parts);
    char text[64];
    strftime(text, sizeof text, format, &parts);
    return text;
}

std::string machine_text() {
    utsname name{};
    uname(&name);
    std::string text = "bitfusion " BITFUSION_VERSION "\n" + utc("%Y-%m-%dT%H:%M:%SZ") + "\n" + name.sysname +
                       " " + name.release + " " + name.version + " " + name.machine + "\n";
    const health::Files files;
    for (const char* file :
         {"/etc/os-release", "/proc/meminfo", "/proc/driver/nvidia/version", "/proc/self/limits"})
        text += "\n== " + std::string(file) + "\n" + files.text(file).value_or("cannot be read\n");
    return text;
}

// Names of all BITFUSION_ variables, values of those that are no secret.
std::string environment_text() {
    std::string text;
    for (char** at = environ; *at != nullptr; ++at) {
        const std::string entry = *at;
        if (entry.starts_with("BITFUSION_") || entry.starts_with("CUDA_") ||
            entry.starts_with("LD_LIBRARY_PATH="))
            text += entry + "\n";
    }
    return text;
}

std::string file_text(const fs::path& path) {
    std::ifstream in(path);
    if (!in) return "cannot be read\n";
    std::string text(kMostLogBytes, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(in.gcount()));
    return text;
}

std::string answer_text(const Endpoint& endpoint, const char* target) {
    const auto answer = ask(endpoint, Method::kGet, target);
    if (!answer) return answer.error().what + "\n";
    return answer->body.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

// Everything of the report, by file name; nothing in it is redacted yet.
std::map<std::string, std::string> collect(const CrashreportOptions& options, const std::string& root) {
    std::map<std::string, std::string> files;
    files["machine.txt"] = machine_text();
    files["environment.txt"] = environment_text();
    const char* home = getenv("HOME");
    files["servers.conf.txt"] = home == nullptr ? "" : file_text(fs::path(home) / ".bitfusion/servers.conf");
    files["etc-servers.conf.txt"] = file_text("/etc/bitfusion/servers.conf");
    files["bitfusion-manager.yaml.txt"] = file_text("/etc/bitfusion/bitfusion-manager.yaml");
    files["health.json"] = node_report({options.servers, true, true, false, false}, root).dump(2) + "\n";
    const auto log =
        output_of({"journalctl", "-q", "-u", "bitfusion-manager.service", "-n", "20000", "--no-pager"},
                  kMostLogBytes, std::chrono::seconds(30));
    files["manager.log"] = log ? *log : log.error().what + "\n";
    const auto endpoints = find_servers(options.servers);
    if (!endpoints) {
        files["servers.txt"] = endpoints.error().what + "\n";
        return files;
    }
    for (const Endpoint& endpoint : *endpoints) {
        std::string name = "server-" + endpoint.text();
        for (char& c : name) c = c == ':' ? '-' : c;
        files[name + ".json"] = answer_text(endpoint, "/v1/server");
        files[name + "-health.json"] = answer_text(endpoint, "/v1/health");
    }
    return files;
}

// What is packed is written there first, for its owner alone.
fs::path temporary_folder() {
    const char* const named = getenv("TMPDIR");
    return named != nullptr && *named != '\0' ? named : "/tmp";
}

Status pack(const std::map<std::string, std::string>& files, const fs::path& target) {
    const fs::path here = temporary_folder();
    std::string pattern = here / "bitfusion-crashreport-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr)
        return fail("cannot make a folder in " + here.string() + ": " + strerror(errno) +
                    "; name another with TMPDIR");
    const fs::path scratch = pattern;
    const fs::path folder = scratch / "bitfusion-crashreport";
    Status outcome;
    std::error_code error;
    fs::create_directory(folder, error);
    for (const auto& [name, text] : files) {
        std::ofstream out(folder / name, std::ios::binary);
        out << without_secrets(text);
        out.close();
        if (!out && outcome)
            outcome = fail("cannot write in " + here.string() +
                           "; make room there, or name another folder with TMPDIR");
    }
    // Made first, for its owner alone: tar keeps the mode of a file that is there.
    const int made = open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0 && outcome)
        outcome =
            fail("cannot make " + target.string() + ": " + strerror(errno) + "; choose another: --output");
    if (made >= 0) close(made);
    if (outcome) {
        const auto packed = output_of(
            {"tar", "-C", scratch.string(), "-czf", fs::absolute(target).string(), "bitfusion-crashreport"},
            1024, std::chrono::seconds(60));
        if (!packed) {
            outcome = fail(packed.error().what + "; install tar and gzip");
            fs::remove(target, error);
        }
    }
    fs::remove_all(scratch, error);
    return outcome;
}

}  // namespace

int crashreport_command(const CrashreportOptions& options, const std::string& root) {
    const std::string target =
        options.file.empty() ? utc("bitfusion-crashreport-%Y%m%dT%H%M%SZ.tar.gz") : options.file;
    const auto files = collect(options, root);
    if (auto packed = pack(files, target); !packed) {
        say_error(packed.error().what);
        return kFailure;
    }
    json names = json::array();
    for (const auto& [name, text] : files) names.push_back(name);
    if (options.json)
        return print(json{{"schema", kListingSchema}, {"file", target}, {"contents", names}}.dump(2) + "\n");
    return print(
        "Crash report: " + target +
        "\nIt was not sent. Tokens, tickets and keys are left out; look through it before you pass it on.\n");
}

}  // namespace bitfusion::cli
