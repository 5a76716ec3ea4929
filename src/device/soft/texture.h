// Texture: from CUDA's descriptors of resources, textures and views to the Image that kernels sample.
//
// Everything is checked here: kinds, ranges, alignments, the extents of a view. INVALID_VALUE for what CUDA
// forbids, INVALID_HANDLE for arrays that do not exist. A planar array is sampled plane by plane. Any thread.
// Source document: cuda.h, cuTexObjectCreate and cuSurfObjectCreate.
#pragma once

#include "cuda_api.gen.h"
#include "device/soft/images.h"

namespace bitfusion::soft {

// `view` may be null.
CUresult make_texture(const CUDA_RESOURCE_DESC& resource, const CUDA_TEXTURE_DESC& texture,
                      const CUDA_RESOURCE_VIEW_DESC* view, BoundImage* out);
CUresult make_surface(const CUDA_RESOURCE_DESC& resource, BoundImage* out);

}  // namespace bitfusion::soft
