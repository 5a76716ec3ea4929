// Check: one question about a machine, answered pass, marginal or fatal, with what to do.
//
// The 29 checks keep the names that administrators of the original product know. Each is one small function
// over a Node (node.h): it reads files of the node's root and what was gathered, and decides; it changes
// nothing. What cannot be found out is marginal and says why: never pass.
// A check that is switched off still runs and is shown; it no longer counts for the whole.
// Pure but for reading files; one thread.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace bitfusion::health {

struct Node;

enum class Verdict { kPass = 0, kMarginal = 1, kFatal = 2 };
enum class Type { kStability, kPerformance, kSystem, kSoftware };
enum class Side { kServer, kClient };

struct Finding {
    Verdict verdict = Verdict::kPass;
    std::string details;  // what was seen; when it is not pass also what to do
};

struct Check {
    const char* name;
    Type type;
    bool on_clients;      // all checks run on servers
    const char* subject;  // what is looked at, and where the threshold comes from
    Finding (*run)(const Node& node);
};

// All 29, stability first, in the order of the guide's list.
const std::vector<Check>& checks();

struct Checked {
    const Check* check;
    Finding finding;
    bool counted = true;
};

// Runs those of the node's side. `off` names the checks that do not count.
std::vector<Checked> run_checks(const Node& node, const std::set<std::string>& off);
// The worst of those that count.
Verdict overall(const std::vector<Checked>& results);

const char* text_of(Verdict verdict);  // pass, marginal, fatal
const char* text_of(Type type);        // stability, performance, system resources, software version

}  // namespace bitfusion::health
