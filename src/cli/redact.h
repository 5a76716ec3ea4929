// Redact: takes secrets out of text that is to be passed on. Pure.
#pragma once

#include <string>

namespace bitfusion::cli {

// Without: runs of 32 and more hexadecimal digits or 40 and more of base64 (tickets, tokens, keys, hashes),
// what stands between PEM's BEGIN and END lines, and the values after words such as token, ticket, password,
// secret, session and private key. "<removed>" stands in their place. Rather too much than too little.
std::string without_secrets(const std::string& text);

}  // namespace bitfusion::cli
