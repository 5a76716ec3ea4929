#include "identity/bundle.h"

#include <array>
#include <cstdio>
#include <cstring>

namespace bitfusion::identity {
namespace {

constexpr size_t kBlock = 512;

void put(std::array<char, kBlock>* head, size_t at, const std::string& text) {
    memcpy(head->data() + at, text.data(), text.size());
}

std::string octal(uint64_t value, int digits) {
    char text[32];
    snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
    return text;
}

// IEEE Std 1003.1, pax, "ustar Interchange Format".
std::string head_of(const std::string& name, size_t size, std::time_t now) {
    std::array<char, kBlock> head{};
    put(&head, 0, name);
    put(&head, 100, octal(0600, 7));
    put(&head, 108, octal(0, 7));
    put(&head, 116, octal(0, 7));
    put(&head, 124, octal(size, 11));
    put(&head, 136, octal(static_cast<uint64_t>(now), 11));
    put(&head, 148, "        ");
    head[156] = '0';
    put(&head, 257,
        std::string("ustar\0"
                    "00",
                    8));
    put(&head, 265, "root");
    put(&head, 297, "root");
    unsigned sum = 0;
    for (const char c : head) sum += static_cast<unsigned char>(c);
    put(&head, 148, octal(sum, 6) + std::string("\0 ", 2));
    return {head.data(), head.size()};
}

}  // namespace

std::map<std::string, std::string> bundle_files(const std::string& authority, const std::string& token_text,
                                                const std::vector<std::string>& servers) {
    std::map<std::string, std::string> files;
    files["ca.crt"] = authority;
    files["client.yaml"] =
        "# This machine's identity in the pool; keep it secret (mode 0600).\n"
        "version: 1\n"
        "ssl: true\n"
        "# cacertpath: the file ca.crt beside this one, unless it is said here\n"
        "authconfig:\n"
        "  token: " +
        token_text + "\n";
    std::string list = "servers:\n";
    for (const std::string& server : servers)
        list += "- reachable: \"" + server + "\"\n  addresses: [\"" + server + "\"]\n";
    files["servers.conf"] = list;
    return files;
}

std::string tar_of(const std::map<std::string, std::string>& files, std::time_t now) {
    std::string out;
    for (const auto& [name, content] : files) {
        out += head_of(name, content.size(), now) + content;
        out.append((kBlock - content.size() % kBlock) % kBlock, '\0');
    }
    out.append(2 * kBlock, '\0');
    return out;
}

}  // namespace bitfusion::identity
