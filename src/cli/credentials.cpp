#include "cli/credentials.h"

#include <openssl/sha.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace bitfusion::cli {
namespace {

constexpr const char* kSystemFolder = "/etc/bitfusion";
constexpr const char* kSystemAuthority = "/etc/bitfusion/tls/ca.crt";

std::string variable(const char* name) {
    const char* value = getenv(name);
    return value != nullptr ? value : "";
}

std::string first_line(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line;
}

// A machine's id is confidential (machine-id(5)): only a digest of it travels.
std::string machine_digest(const std::string& host) {
    std::string id = variable("BITFUSION_MACHINE_ID");
    for (const char* path : {"/etc/machine-id", "/var/lib/dbus/machine-id"}) {
        if (id.empty()) id = first_line(path);
    }
    if (id.empty()) id = "host " + host;
    const std::string text = "bitfusion machine " + id;
    std::array<uint8_t, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest.data());
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const uint8_t byte : digest) {
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

Result<Credentials> from_folder(const std::string& folder) {
    const std::string path = folder + "/client.yaml";
    std::ifstream in(path);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf())) {
        return fail("cannot read " + path + ": " + strerror(errno) +
                    "; check its permissions, or get the bundle again: bitfusion token download");
    }
    auto found = parse_client_yaml(text.str(), path);
    if (!found) return found;
    if (found->authority_file.empty()) {
        found->authority_file = folder + "/ca.crt";
        if (access(found->authority_file.c_str(), F_OK) != 0) found->authority_file = kSystemAuthority;
    }
    return found;
}

Result<Credentials> find() {
    Credentials found;
    const std::string insecure = variable("BITFUSION_INSECURE");
    const std::string home = variable("HOME");
    const std::string folder = variable("BITFUSION_CLIENT_DIR");
    const auto has = [](const std::string& in) { return access((in + "/client.yaml").c_str(), F_OK) == 0; };
    if (insecure == "true" || insecure == "1") return found;
    if (!variable("BITFUSION_TOKEN").empty()) {
        found.secure = true;
        found.token = variable("BITFUSION_TOKEN");
        found.authority_file = variable("BITFUSION_CA_FILE");
        if (found.authority_file.empty()) found.authority_file = kSystemAuthority;
        found.origin = "BITFUSION_TOKEN";
        return found;
    }
    if (!folder.empty()) return from_folder(folder);
    if (!home.empty() && has(home + "/.bitfusion")) return from_folder(home + "/.bitfusion");
    if (has(kSystemFolder)) return from_folder(kSystemFolder);
    return found;
}

}  // namespace

Result<Credentials> parse_client_yaml(const std::string& text, const std::string& path) {
    Credentials found;
    found.origin = path;
    try {
        const YAML::Node root = YAML::Load(text);
        if (!root.IsMap())
            return fail(path + " is not a mapping; get the bundle again: bitfusion token download");
        found.secure = !root["ssl"] || root["ssl"].as<bool>();
        if (root["cacertpath"]) found.authority_file = root["cacertpath"].as<std::string>();
        const YAML::Node token = root["authconfig"] ? root["authconfig"]["token"] : YAML::Node();
        if (!token || !token.IsScalar() || token.as<std::string>().empty())
            return fail(path + " holds no authconfig.token; get the bundle again: bitfusion token download");
        found.token = token.as<std::string>();
        if (found.token.find_first_of(" \r\n\t") != std::string::npos) {
            return fail(path + " line " + std::to_string(token.Mark().line + 1) +
                        ": the token holds white space; get the bundle again: bitfusion token download");
        }
    } catch (const YAML::Exception& error) {
        return fail(path + " line " + std::to_string(error.mark.line + 1) + " is not YAML: " + error.msg +
                    "; get the bundle again: bitfusion token download");
    }
    return found;
}

const Result<Credentials>& credentials() {
    static const Result<Credentials> once = [] {
        auto found = find();
        if (found) {
            char host[256] = "";
            gethostname(host, sizeof host - 1);
            found->host = host;
            found->machine = machine_digest(host);
        }
        return found;
    }();
    return once;
}

}  // namespace bitfusion::cli
