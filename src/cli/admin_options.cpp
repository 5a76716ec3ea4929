#include "cli/admin_options.h"

#include <algorithm>
#include <sstream>

namespace bitfusion::cli {
namespace {

// Arguments and flags are separated by blanks; a flag that ends with '!' has no value.
struct Verb {
    const char* noun;
    const char* verb;
    const char* arguments;
    const char* flags;
    const char* help;
};

constexpr Verb kVerbs[] = {
    {"token", "list", "", "", "the pool's tokens and their states"},
    {"token", "create", "", "description role expires bundle shared! inactive!",
     "makes a token; --expires 90d, --role client|viewer|operator|admin, --shared for any number of "
     "machines,\n"
     "                          --bundle FILE writes the client's bundle"},
    {"token", "download", "ID", "bundle", "writes the client's bundle again: --bundle FILE"},
    {"token", "activate", "ID", "", "lets an inactive token be used"},
    {"token", "deactivate", "ID", "", "keeps it from being used until it is activated"},
    {"token", "extend", "ID", "expires", "lets it expire later (or now): --expires 365d, from now"},
    {"token", "move", "ID", "", "lets another machine show it"},
    {"token", "renew", "ID", "", "gives it another secret: the old text is refused from now on"},
    {"token", "revoke", "ID", "", "ends it for good, and keeps it in the list"},
    {"token", "delete", "ID", "", "ends it for good"},
    {"user", "list", "", "", "people and their roles"},
    {"user", "create", "NAME", "role password-file",
     "--role viewer|operator|admin; the password comes from standard input"},
    {"user", "password", "NAME", "password-file", "another password; sessions end"},
    {"user", "role", "NAME ROLE", "", "another role; sessions end"},
    {"user", "delete", "NAME", "", ""},
    {"clients", "list", "", "", "machines that have asked for GPUs"},
    {"clients", "enable", "ID", "", ""},
    {"clients", "disable", "ID", "", "starts nothing new; what runs may finish"},
    {"clients", "delete", "ID", "", "ends all that it has, and its token"},
    {"clients", "quota", "ID GPUS", "",
     "the most GPUs at a time over all its programs, such as 3.5; default: the pool's"},
    {"clients", "idle", "ID MINUTES", "",
     "takes GPUs back that were idle for so long; 0 never; default: the pool's"},
    {"servers", "list", "", "", "the pool's servers"},
    {"servers", "invite", "", "",
     "prints an invitation for one more server, good once and for an hour (bitfusion init --join)"},
    {"servers", "drain", "ID", "", "starts nothing new; what runs may finish"},
    {"servers", "accept", "ID", "", "ends a drain"},
    {"servers", "remove", "ID", "force!", "takes it out of the pool; --force ends what runs there"},
    {"leases", "list", "", "", "who has which GPUs"},
    {"leases", "waiting", "", "", "who waits for GPUs"},
    {"leases", "end", "ID", "", "takes its GPUs back at once"},
    {"settings", "show", "", "", "what holds for all clients and servers"},
    {"settings", "set", "KEY VALUE", "", "quota, idle_limit_minutes or auto_release_seconds"},
    {"tls-certs", "show", "", "", "the pool's authority and the server's certificate"},
    {"tls-certs", "rotate", "", "", "another key and certificate for the server, in force without a restart"},
};

std::vector<std::string> words_of(const char* text) {
    std::istringstream in(text);
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

const Verb* find_verb(const std::string& noun, const std::string& verb) {
    for (const Verb& known : kVerbs) {
        if (noun == known.noun && verb == known.verb) return &known;
    }
    return nullptr;
}

}  // namespace

std::string admin_noun(const std::string& word) {
    if (word == "TC") return "tls-certs";
    const bool known = std::any_of(std::begin(kVerbs), std::end(kVerbs),
                                   [&](const Verb& verb) { return word == verb.noun; });
    return known ? word : "";
}

std::string admin_help(const std::string& noun) {
    std::string text = "bitfusion " + noun + " VERB [options]\n\n";
    for (const Verb& verb : kVerbs) {
        if (noun != verb.noun) continue;
        std::string head = "  " + std::string(verb.verb) +
                           (*verb.arguments != '\0' ? " " + std::string(verb.arguments) : "");
        if (head.size() < 24) head.resize(24, ' ');
        text += head + "  " + verb.help + "\n";
    }
    return text +
           "\n  -l, --server_list LIST  servers to ask instead: \"ip:port;ip:port\"\n"
           "  -s, --servers FILE      path of another servers.conf\n"
           "      --json              prints JSON\n"
           "The first server that answers is asked. An administrator's token is needed (bitfusion help "
           "init).\n";
}

Result<AdminOptions> parse_admin(const std::vector<std::string>& words) {
    AdminOptions options;
    options.noun = admin_noun(words.front());
    const std::string see = "; see: bitfusion help " + options.noun;
    if (words.size() < 2 || words[1] == "-h" || words[1] == "--help") {
        options.verb = "help";
        return options;
    }
    options.verb = words[1];
    const Verb* verb = find_verb(options.noun, options.verb);
    if (verb == nullptr) return fail(options.noun + " has no verb '" + options.verb + "'" + see);
    const std::vector<std::string> flags = words_of(verb->flags);
    for (size_t i = 2; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (!word.starts_with("-") || word == "-") {
            options.arguments.push_back(word);
            continue;
        }
        const size_t equals = word.find('=');
        const std::string name = word.substr(0, equals);
        const auto value = [&]() -> Result<std::string> {
            if (equals != std::string::npos) return word.substr(equals + 1);
            if (i + 1 < words.size()) return words[++i];
            return fail(name + " needs a value" + see);
        };
        if (name == "--json") {
            options.json = true;
            continue;
        }
        if (name.starts_with("--") &&
            std::find(flags.begin(), flags.end(), name.substr(2) + "!") != flags.end()) {
            options.flags[name.substr(2)] = "true";
            continue;
        }
        const bool list = name == "-l" || name == "--server_list";
        const bool file = name == "-s" || name == "--servers";
        const bool known =
            name.starts_with("--") && std::find(flags.begin(), flags.end(), name.substr(2)) != flags.end();
        if (!list && !file && !known)
            return fail("'" + name + "' is no option of " + options.noun + " " + options.verb + see);
        const auto given = value();
        if (!given) return tl::unexpected(given.error());
        if (list)
            options.servers.list = *given;
        else if (file)
            options.servers.file = *given;
        else
            options.flags[name.substr(2)] = *given;
    }
    if (options.arguments.size() != words_of(verb->arguments).size()) {
        return fail(options.noun + " " + options.verb + " takes " +
                    (*verb->arguments != '\0' ? std::string(verb->arguments) : std::string("no argument")) +
                    see);
    }
    return options;
}

}  // namespace bitfusion::cli
