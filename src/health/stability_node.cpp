#include "health/checks.h"

namespace bitfusion::health {

Finding check_store_history(const Node& node) {
    const Store& store = node.store;
    if (!store.history_error.empty()) return marginal("no history is kept: " + store.history_error);
    if (store.history_damaged > 0) {
        return marginal(
            std::to_string(store.history_damaged) +
            " damaged files of the history were set aside (*.damaged); restore a backup or delete them");
    }
    return pass(std::to_string(store.history_series) + " series, 30 days");
}

Finding check_store_members(const Node& node) {
    const Store& store = node.store;
    if (!store.error.empty()) return fatal("the store cannot be asked: " + store.error);
    const std::string counts =
        std::to_string(store.servers) + " in the store, " + std::to_string(store.servers_known) + " seen";
    if (store.servers != store.servers_known)
        return marginal("servers: " + counts +
                        "; start the missing ones, or remove them: bitfusion removenode");
    return pass("servers: " + counts);
}

Finding check_store_quorum(const Node& node) {
    const Store& store = node.store;
    if (!store.error.empty()) return fatal("the store cannot be asked: " + store.error);
    if (!store.quorum)
        return fatal("the store (" + store.kind + ") has lost its quorum; start more of its " +
                     std::to_string(store.members) + " nodes");
    if (!store.leader)
        return fatal("the store (" + store.kind + ") has no leader; see its log on every node");
    return pass("store: " + store.kind);
}

Finding check_store_replicas(const Node& node) {
    const Store& store = node.store;
    if (!store.error.empty()) return fatal("the store cannot be asked: " + store.error);
    const std::string counts =
        std::to_string(store.voters) + " of " + std::to_string(store.voters_wanted) + " voters";
    if (store.voters < store.voters_wanted)
        return marginal(counts + "; start the missing nodes of the store");
    if (store.voters == 2)
        return marginal(counts + ": the pool stops when one ends; add a third, a GPU is not needed on it");
    return pass(counts);
}

Finding check_controllers(const Node& node) {
    if (node.controllers.empty())
        return fatal("no server is known; write one a line into ~/.bitfusion/servers.conf");
    std::string lost;
    size_t reached = 0;
    for (const Controller& controller : node.controllers) {
        if (controller.error.empty())
            ++reached;
        else
            lost += (lost.empty() ? "" : "; ") + controller.error;
    }
    const std::string counts =
        std::to_string(reached) + " of " + std::to_string(node.controllers.size()) + " servers answer";
    if (reached == 0) return fatal(counts + ": " + lost);
    return lost.empty() ? pass(counts) : marginal(counts + ": " + lost);
}

Finding check_lost_packets(const Node& node) {
    const auto now = losses(node.files);
    if (now.empty()) return marginal("no interface has counters in /sys/class/net; mount /sys");
    std::string grown;
    uint64_t before = 0;
    for (const auto& [interface, lost] : now) {
        before += lost;
        const auto earlier = node.earlier_losses.find(interface);
        if (earlier == node.earlier_losses.end() || lost <= earlier->second) continue;
        grown += (grown.empty() ? "" : ", ") + interface + " " + std::to_string(lost - earlier->second);
    }
    if (!grown.empty())
        return marginal("packets lost since the last look: " + grown +
                        "; look at cable, switch and MTU of these interfaces");
    if (node.earlier_losses.empty())
        return pass("first look: " + std::to_string(before) + " packets lost since the machine started");
    return pass("no packet lost since the last look");
}

}  // namespace bitfusion::health
