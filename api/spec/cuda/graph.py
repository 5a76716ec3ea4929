"""Graphs."""

fn("CUresult cuGraphCreate(CUgraph *phGraph, unsigned int flags)",
   call(), since=10000, phGraph=out(owner="session"))
fn("CUresult cuGraphDestroy(CUgraph hGraph)",
   post(), since=10000, hand=CLIENT, hGraph=ends())
fn("CUresult cuGraphInstantiateWithFlags(CUgraphExec *phGraphExec, CUgraph hGraph, unsigned long long flags)",
   local(), since=11040)
fn("""CUresult cuGraphInstantiateWithParams(CUgraphExec *phGraphExec, CUgraph hGraph,
   CUDA_GRAPH_INSTANTIATE_PARAMS *instantiateParams)""",
   local(), since=12000, ptsz=12000)
fn("""CUresult cuGraphInstantiate(CUgraphExec *phGraphExec, CUgraph hGraph, CUgraphNode *phErrorNode, char
   *logBuffer, size_t bufferSize)""",
   local(), since=10000, old=True)
fn("""CUresult cuGraphInstantiate_v2(CUgraphExec *phGraphExec, CUgraph hGraph, CUgraphNode *phErrorNode, char
   *logBuffer, size_t bufferSize)""",
   local(), since=11000, old=True)
fn("CUresult cuGraphExecGetFlags(CUgraphExec hGraphExec, cuuint64_t *flags)", call(), since=12000, flags=out())
fn("CUresult cuGraphExecDestroy(CUgraphExec hGraphExec)",
   post(), since=10000, hand=CLIENT, hGraphExec=ends())
fn("CUresult cuGraphLaunch(CUgraphExec hGraphExec, CUstream hStream)",
   post(), since=10000, ptsz=10000, hand=CLIENT)
fn("CUresult cuGraphUpload(CUgraphExec hGraphExec, CUstream hStream)", post(), since=11010, ptsz=11010)
fn("CUresult cuGraphClone(CUgraph *phGraphClone, CUgraph originalGraph)",
   call(), since=10000, hand=WORKER, phGraphClone=out(owner="session"))
fn("CUresult cuGraphNodeGetType(CUgraphNode hNode, CUgraphNodeType *type)", call(), since=10000, type=out())
fn("CUresult cuGraphGetNodes(CUgraph hGraph, CUgraphNode *nodes, size_t *numNodes)", local(), since=10000)
fn("CUresult cuGraphGetRootNodes(CUgraph hGraph, CUgraphNode *rootNodes, size_t *numRootNodes)", local(), since=10000)
fn("""CUresult cuGraphAddEmptyNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode *dependencies,
   size_t numDependencies)""",
   call(), since=10000, phGraphNode=out(owner="hGraph"), dependencies=in_array("numDependencies",nullable=True))
fn("""CUresult cuGraphAddEventRecordNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode
   *dependencies, size_t numDependencies, CUevent event)""",
   call(), since=11010, hand=WORKER, phGraphNode=out(owner="hGraph"), dependencies=in_array("numDependencies",nullable=True))
fn("""CUresult cuGraphAddEventWaitNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode
   *dependencies, size_t numDependencies, CUevent event)""",
   call(), since=11010, phGraphNode=out(owner="hGraph"), dependencies=in_array("numDependencies",nullable=True))
fn("""CUresult cuGraphAddChildGraphNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode
   *dependencies, size_t numDependencies, CUgraph childGraph)""",
   call(), since=10000, phGraphNode=out(owner="hGraph"), dependencies=in_array("numDependencies",nullable=True))
fn("CUresult cuGraphDestroyNode(CUgraphNode hNode)",
   call(), since=10000, hand=BOTH, hNode=ends())
fn("""CUresult cuGraphAddMemsetNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode *dependencies,
   size_t numDependencies, const CUDA_MEMSET_NODE_PARAMS *memsetParams, CUcontext ctx)""",
   call(), since=10000, phGraphNode=out(owner="hGraph"), dependencies=in_array("numDependencies",nullable=True), memsetParams=in_struct())
fn("CUresult cuGraphMemsetNodeGetParams(CUgraphNode hNode, CUDA_MEMSET_NODE_PARAMS *nodeParams)",
   call(), since=10000, nodeParams=out())
fn("CUresult cuGraphNodeSetEnabled(CUgraphExec hGraphExec, CUgraphNode hNode, unsigned int isEnabled)",
   call(), since=11060)
fn("CUresult cuGraphNodeGetEnabled(CUgraphExec hGraphExec, CUgraphNode hNode, unsigned int *isEnabled)",
   call(), since=11060, isEnabled=out())
fn("CUresult cuGraphNodeFindInClone(CUgraphNode *phNode, CUgraphNode hOriginalNode, CUgraph hClonedGraph)",
   call(), since=10000, phNode=out(owner="hClonedGraph"))
fn("CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode hNode, CUgraph *phGraph)",
   call(), since=10000, phGraph=out(owner="hNode"))
fn("CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode hNode, CUevent *event_out)",
   call(), since=11010, event_out=out())
fn("CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode hNode, CUevent *event_out)",
   call(), since=11010, event_out=out())
fn("CUresult cuGraphEventRecordNodeSetEvent(CUgraphNode hNode, CUevent event)", call(), since=11010)
fn("CUresult cuGraphEventWaitNodeSetEvent(CUgraphNode hNode, CUevent event)", call(), since=11010)
fn("CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec hGraphExec, CUgraphNode hNode, CUevent event)",
   local(), since=11010)
fn("CUresult cuGraphExecEventWaitNodeSetEvent(CUgraphExec hGraphExec, CUgraphNode hNode, CUevent event)",
   call(), since=11010)
fn("""CUresult cuGraphExecUpdate_v2(CUgraphExec hGraphExec, CUgraph hGraph, CUgraphExecUpdateResultInfo
   *resultInfo)""",
   local(), since=12000)
fn("""CUresult cuGraphAddDependencies_v2(CUgraph hGraph, const CUgraphNode *from, const CUgraphNode *to, const
   CUgraphEdgeData *edgeData, size_t numDependencies)""",
   call(), since=12030, from_=in_array("numDependencies",nullable=True),
   to=in_array("numDependencies",nullable=True), edgeData=in_array("numDependencies",nullable=True))
fn("""CUresult cuGraphRemoveDependencies_v2(CUgraph hGraph, const CUgraphNode *from, const CUgraphNode *to,
   const CUgraphEdgeData *edgeData, size_t numDependencies)""",
   call(), since=12030, from_=in_array("numDependencies",nullable=True),
   to=in_array("numDependencies",nullable=True), edgeData=in_array("numDependencies",nullable=True))
fn("""CUresult cuGraphAddDependencies(CUgraph hGraph, const CUgraphNode *from, const CUgraphNode *to, size_t
   numDependencies)""",
   call(), since=10000, old=True, from_=in_array("numDependencies",nullable=True),
   to=in_array("numDependencies",nullable=True))
fn("""CUresult cuGraphRemoveDependencies(CUgraph hGraph, const CUgraphNode *from, const CUgraphNode *to,
   size_t numDependencies)""",
   call(), since=10000, old=True, from_=in_array("numDependencies",nullable=True),
   to=in_array("numDependencies",nullable=True))
fn("""CUresult cuGraphAddBatchMemOpNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode
   *dependencies, size_t numDependencies, const CUDA_BATCH_MEM_OP_NODE_PARAMS *nodeParams)""",
   local(), since=11070)
fn("""CUresult cuGraphAddExternalSemaphoresSignalNode(CUgraphNode *phGraphNode, CUgraph hGraph, const
   CUgraphNode *dependencies, size_t numDependencies, const CUDA_EXT_SEM_SIGNAL_NODE_PARAMS *nodeParams)""",
   refused("external semaphores belong to the client's machine"), since=11020)
fn("""CUresult cuGraphAddExternalSemaphoresWaitNode(CUgraphNode *phGraphNode, CUgraph hGraph, const
   CUgraphNode *dependencies, size_t numDependencies, const CUDA_EXT_SEM_WAIT_NODE_PARAMS *nodeParams)""",
   refused("external semaphores belong to the client's machine"), since=11020)
fn("""CUresult cuGraphAddHostNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode *dependencies,
   size_t numDependencies, const CUDA_HOST_NODE_PARAMS *nodeParams)""",
   local(), since=10000)
fn("""CUresult cuGraphAddKernelNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode *dependencies,
   size_t numDependencies, const CUDA_KERNEL_NODE_PARAMS_v1 *nodeParams)""",
   refused("addresses of 32 bits"), since=10000, old=True)
fn("""CUresult cuGraphAddKernelNode_v2(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode
   *dependencies, size_t numDependencies, const CUDA_KERNEL_NODE_PARAMS *nodeParams)""",
   local(), since=12000)
fn("""CUresult cuGraphAddMemAllocNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode
   *dependencies, size_t numDependencies, CUDA_MEM_ALLOC_NODE_PARAMS *nodeParams)""",
   local(), since=11040)
fn("""CUresult cuGraphAddMemFreeNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode
   *dependencies, size_t numDependencies, CUdeviceptr dptr)""",
   call(), since=11040, phGraphNode=out(owner="hGraph"), dependencies=in_array("numDependencies",nullable=True), dptr=within("1"))
fn("""CUresult cuGraphAddMemcpyNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode *dependencies,
   size_t numDependencies, const CUDA_MEMCPY3D *copyParams, CUcontext ctx)""",
   local(), since=10000)
fn("""CUresult cuGraphAddNode(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode *dependencies,
   size_t numDependencies, CUgraphNodeParams *nodeParams)""",
   local(), since=12020, old=True)
fn("""CUresult cuGraphAddNode_v2(CUgraphNode *phGraphNode, CUgraph hGraph, const CUgraphNode *dependencies,
   const CUgraphEdgeData *dependencyData, size_t numDependencies, CUgraphNodeParams *nodeParams)""",
   local(), since=12030)
fn("CUresult cuGraphBatchMemOpNodeGetParams(CUgraphNode hNode, CUDA_BATCH_MEM_OP_NODE_PARAMS *nodeParams_out)",
   local(), since=11070)
fn("CUresult cuGraphBatchMemOpNodeSetParams(CUgraphNode hNode, const CUDA_BATCH_MEM_OP_NODE_PARAMS *nodeParams)",
   local(), since=11070)
fn("""CUresult cuGraphConditionalHandleCreate(CUgraphConditionalHandle *pHandle_out, CUgraph hGraph, CUcontext
   ctx, unsigned int defaultLaunchValue, unsigned int flags)""",
   call(), since=12030, hand=WORKER, pHandle_out=out())
fn("CUresult cuGraphDebugDotPrint(CUgraph hGraph, const char *path, unsigned int flags)",
   local(), since=11030)
fn("""CUresult cuGraphExecBatchMemOpNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, const
   CUDA_BATCH_MEM_OP_NODE_PARAMS *nodeParams)""",
   local(), since=11070)
fn("CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, CUgraph childGraph)",
   local(), since=11010)
fn("""CUresult cuGraphExecExternalSemaphoresSignalNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode,
   const CUDA_EXT_SEM_SIGNAL_NODE_PARAMS *nodeParams)""",
   refused("external semaphores belong to the client's machine"), since=11020)
fn("""CUresult cuGraphExecExternalSemaphoresWaitNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, const
   CUDA_EXT_SEM_WAIT_NODE_PARAMS *nodeParams)""",
   refused("external semaphores belong to the client's machine"), since=11020)
fn("""CUresult cuGraphExecHostNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, const
   CUDA_HOST_NODE_PARAMS *nodeParams)""",
   local(), since=10020)
fn("""CUresult cuGraphExecKernelNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, const
   CUDA_KERNEL_NODE_PARAMS_v1 *nodeParams)""",
   refused("addresses of 32 bits"), since=10010, old=True)
fn("""CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec hGraphExec, CUgraphNode hNode, const
   CUDA_KERNEL_NODE_PARAMS *nodeParams)""",
   local(), since=12000)
fn("""CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, const CUDA_MEMCPY3D
   *copyParams, CUcontext ctx)""",
   local(), since=10020)
fn("""CUresult cuGraphExecMemsetNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, const
   CUDA_MEMSET_NODE_PARAMS *memsetParams, CUcontext ctx)""",
   call(), since=10020, memsetParams=in_struct())
fn("CUresult cuGraphExecNodeSetParams(CUgraphExec hGraphExec, CUgraphNode hNode, CUgraphNodeParams *nodeParams)",
   local(), since=12020)
fn("""CUresult cuGraphExecUpdate(CUgraphExec hGraphExec, CUgraph hGraph, CUgraphNode *hErrorNode_out,
   CUgraphExecUpdateResult *updateResult_out)""",
   local(), since=10020, old=True)
fn("""CUresult cuGraphExternalSemaphoresSignalNodeGetParams(CUgraphNode hNode, CUDA_EXT_SEM_SIGNAL_NODE_PARAMS
   *params_out)""",
   refused("external semaphores belong to the client's machine"), since=11020)
fn("""CUresult cuGraphExternalSemaphoresSignalNodeSetParams(CUgraphNode hNode, const
   CUDA_EXT_SEM_SIGNAL_NODE_PARAMS *nodeParams)""",
   refused("external semaphores belong to the client's machine"), since=11020)
fn("""CUresult cuGraphExternalSemaphoresWaitNodeGetParams(CUgraphNode hNode, CUDA_EXT_SEM_WAIT_NODE_PARAMS
   *params_out)""",
   refused("external semaphores belong to the client's machine"), since=11020)
fn("""CUresult cuGraphExternalSemaphoresWaitNodeSetParams(CUgraphNode hNode, const
   CUDA_EXT_SEM_WAIT_NODE_PARAMS *nodeParams)""",
   refused("external semaphores belong to the client's machine"), since=11020)
fn("CUresult cuGraphGetEdges(CUgraph hGraph, CUgraphNode *from, CUgraphNode *to, size_t *numEdges)",
   local(), since=10000, old=True)
fn("""CUresult cuGraphGetEdges_v2(CUgraph hGraph, CUgraphNode *from, CUgraphNode *to, CUgraphEdgeData
   *edgeData, size_t *numEdges)""",
   local(), since=12030)
fn("CUresult cuGraphHostNodeGetParams(CUgraphNode hNode, CUDA_HOST_NODE_PARAMS *nodeParams)",
   local(), since=10000)
fn("CUresult cuGraphHostNodeSetParams(CUgraphNode hNode, const CUDA_HOST_NODE_PARAMS *nodeParams)",
   local(), since=10000)
fn("CUresult cuGraphKernelNodeCopyAttributes(CUgraphNode dst, CUgraphNode src)",
   call(), since=11000)
fn("""CUresult cuGraphKernelNodeGetAttribute(CUgraphNode hNode, CUkernelNodeAttrID attr, CUkernelNodeAttrValue
   *value_out)""",
   call(), since=11000, value_out=out())
fn("CUresult cuGraphKernelNodeGetParams(CUgraphNode hNode, CUDA_KERNEL_NODE_PARAMS_v1 *nodeParams)",
   refused("addresses of 32 bits"), since=10000, old=True)
fn("CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode hNode, CUDA_KERNEL_NODE_PARAMS *nodeParams)",
   local(), since=12000)
fn("""CUresult cuGraphKernelNodeSetAttribute(CUgraphNode hNode, CUkernelNodeAttrID attr, const
   CUkernelNodeAttrValue *value)""",
   call(), since=11000, hand=WORKER, value=in_struct())
fn("CUresult cuGraphKernelNodeSetParams(CUgraphNode hNode, const CUDA_KERNEL_NODE_PARAMS_v1 *nodeParams)",
   refused("addresses of 32 bits"), since=10000, old=True)
fn("CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode hNode, const CUDA_KERNEL_NODE_PARAMS *nodeParams)",
   local(), since=12000)
fn("CUresult cuGraphMemAllocNodeGetParams(CUgraphNode hNode, CUDA_MEM_ALLOC_NODE_PARAMS *params_out)",
   local(), since=11040)
fn("CUresult cuGraphMemFreeNodeGetParams(CUgraphNode hNode, CUdeviceptr *dptr_out)",
   call(), since=11040, dptr_out=out())
fn("CUresult cuGraphMemcpyNodeGetParams(CUgraphNode hNode, CUDA_MEMCPY3D *nodeParams)",
   local(), since=10000)
fn("CUresult cuGraphMemcpyNodeSetParams(CUgraphNode hNode, const CUDA_MEMCPY3D *nodeParams)",
   local(), since=10000)
fn("CUresult cuGraphMemsetNodeSetParams(CUgraphNode hNode, const CUDA_MEMSET_NODE_PARAMS *nodeParams)",
   call(), since=10000, nodeParams=in_struct())
fn("CUresult cuGraphNodeGetDependencies(CUgraphNode hNode, CUgraphNode *dependencies, size_t *numDependencies)",
   local(), since=10000, old=True)
fn("""CUresult cuGraphNodeGetDependencies_v2(CUgraphNode hNode, CUgraphNode *dependencies, CUgraphEdgeData
   *edgeData, size_t *numDependencies)""",
   local(), since=12030)
fn("""CUresult cuGraphNodeGetDependentNodes(CUgraphNode hNode, CUgraphNode *dependentNodes, size_t
   *numDependentNodes)""",
   local(), since=10000, old=True)
fn("""CUresult cuGraphNodeGetDependentNodes_v2(CUgraphNode hNode, CUgraphNode *dependentNodes, CUgraphEdgeData
   *edgeData, size_t *numDependentNodes)""",
   local(), since=12030)
fn("CUresult cuGraphNodeSetParams(CUgraphNode hNode, CUgraphNodeParams *nodeParams)",
   local(), since=12020)
fn("CUresult cuGraphReleaseUserObject(CUgraph graph, CUuserObject object, unsigned int count)",
   post(), since=11030, hand=BOTH)
fn("CUresult cuGraphRetainUserObject(CUgraph graph, CUuserObject object, unsigned int count, unsigned int flags)",
   post(), since=11030, hand=BOTH)
fn("""CUresult cuUserObjectCreate(CUuserObject *object_out, void *ptr, CUhostFn destroy, unsigned int
   initialRefcount, unsigned int flags)""",
   local(), since=11030)
fn("CUresult cuUserObjectRelease(CUuserObject object, unsigned int count)",
   post(), since=11030, hand=BOTH)
fn("CUresult cuUserObjectRetain(CUuserObject object, unsigned int count)",
   post(), since=11030, hand=BOTH)

message("GraphNodes", "call", "u64 graph, u32 roots, u64 most", "u64 count, bytes nodes", doc="cuGraphGetNodes and cuGraphGetRootNodes.")
message("GraphEdges", "call", "u64 graph, u64 most", "u64 count, bytes from, bytes to, bytes data", doc="cuGraphGetEdges.")
message("GraphNodeLinks", "call", "u64 node, u32 dependents, u64 most", "u64 count, bytes nodes, bytes data",
        doc="cuGraphNodeGetDependencies and cuGraphNodeGetDependentNodes.")
message("GraphNodeAdd", "call", "u64 graph, u64 count, bytes dependencies, bytes edges, bytes params, bytes sides, bytes extra",
        "u64 node, u64 address, bytes graphs", doc="cuGraphAddNode for every type with parameters (src/wire/graph_node.h).")
message("GraphNodeSet", "call", "u64 node, bytes params, bytes sides, bytes extra", doc="cuGraphNodeSetParams.")
message("GraphExecNodeSet", "call", "u64 exec, u64 node, bytes params, bytes sides, bytes extra", "bytes plan",
        doc="cuGraphExecNodeSetParams.")
message("GraphNodeGet", "call", "u64 node, u32 type", "u64 root, bytes params, bytes sides, bytes extra",
        doc="The parameters of a node that must be of this type, and the outermost graph around it.")
message("GraphInstantiate", "call", "u64 graph, u64 flags, u64 stream, u32 with_params",
        "i32 outcome, u64 exec, u64 error_node, i32 status, bytes plan", doc="cuGraphInstantiateWithParams.")
message("GraphUpdate", "call", "u64 exec, u64 graph", "i32 outcome, i32 status, u64 error_node, u64 error_from, bytes plan",
        doc="cuGraphExecUpdate.")
message("GraphLaunch", "post", "u64 exec, u64 stream, u64 launch, bytes marks",
        doc="cuGraphLaunch of an executable graph that touches the client: host memory, host functions, events.")
message("GraphLaunchDone", "event", "u64 launch", doc="A GraphLaunch has run, and its data have arrived.")
message("HostBytes", "post", "u64 ticket, u64 offset, u64 stream, u32 now, bulk data",
        doc="What stands in the client's memory that copies of a graph read; taken over when the stream comes here, or now.")
message("CaptureCopy", "post", "u64 stream, u32 to_host, bytes block, bytes side",
        doc="A copy between host and device recorded by a stream capture.")
message("KeptReleased", "event", "u64 ticket", doc="No graph refers any more to what the client keeps under this ticket.")
message("UserObjectCreate", "post", "u64 object, u64 ticket, u32 count", doc="cuUserObjectCreate; the client names the object.")
message("GraphDot", "call", "u64 graph, u32 flags", "bytes text", doc="What cuGraphDebugDotPrint writes.")

gap("host memory and host functions in the bodies of conditional nodes",
    "the GPU alone decides whether and how often a body runs, and the client's part of a graph is sent before its launch")
