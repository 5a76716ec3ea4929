// UserObject: something of the program's that graphs keep alive (cuUserObject*).
//
// The object's destructor runs once, when neither the program nor any graph, clone or executable graph refers
// to it any more. Guarded by Driver::graph_mutex.
#pragma once

#include <map>
#include <memory>

#include "cuda_api.gen.h"

namespace bitfusion::soft {

class UserObject {
  public:
    UserObject(CUuserObject handle, void* object, CUhostFn destroy);
    ~UserObject();
    UserObject(const UserObject&) = delete;
    UserObject& operator=(const UserObject&) = delete;

    const CUuserObject handle;
    unsigned held = 0;  // references of the program itself; while any, the handle keeps the object

  private:
    void* const object_;
    const CUhostFn destroy_;
};

// What a graph holds: each object with the number of its references.
using UserObjects = std::map<CUuserObject, std::pair<std::shared_ptr<UserObject>, unsigned>>;

}  // namespace bitfusion::soft
