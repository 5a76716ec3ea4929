// Bundle: the three files with which a machine becomes a client, as a tar archive: ca.crt, client.yaml and
// servers.conf. They belong into ~/.bitfusion or /etc/bitfusion of the client. Pure functions.
#pragma once

#include <ctime>
#include <map>
#include <string>
#include <vector>

namespace bitfusion::identity {

// Name -> content. client.yaml holds the token's text, which is a secret.
std::map<std::string, std::string> bundle_files(const std::string& authority, const std::string& token_text,
                                                const std::vector<std::string>& servers);
// A tar archive of them (POSIX ustar), files of mode 0600.
std::string tar_of(const std::map<std::string, std::string>& files, std::time_t now);

}  // namespace bitfusion::identity
