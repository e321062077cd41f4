/* The public functions of kinds. */
#include <errno.h>
#include <string.h>

#include "layout.h"
#include "marker.h"
#include "vgc.h"

/* What was given, or zeroes where an older program knows no field. */
static bool read_kind(struct vgc_kind *kind, const struct vgc_kind *given) {
  if (!given || given->struct_size < offsetof(struct vgc_kind, mark) || given->struct_size > sizeof *kind) return false;
  memset(kind, 0, sizeof *kind);
  memcpy(kind, given, given->struct_size);
  return (unsigned)kind->scan <= VGC_SCAN_PROCEDURE && (kind->scan != VGC_SCAN_PROCEDURE || kind->mark);
}

vgc_layout_id vgc_kind_register(const struct vgc_kind *given) {
  struct vgc_kind kind;
  if (!read_kind(&kind, given)) {
    errno = EINVAL;
    return 0;
  }
  const struct layout layout = {.name = kind.name,
                                .scan = kind.scan,
                                .disclaim_reaches = kind.disclaim_reaches != 0,
                                .mark = kind.mark,
                                .disclaim = kind.disclaim,
                                .arg = kind.arg};
  return layout_add(&layout, NULL);
}

int vgc_kind_set_disclaim(vgc_layout_id kind, vgc_disclaim_procedure *disclaim, unsigned disclaim_reaches) {
  if (layout_set_disclaim(kind, disclaim, disclaim_reaches != 0)) return 0;
  errno = EINVAL;
  return -1;
}

void vgc_mark(struct vgc_marker *marker, const void *pointer) { marker->show(marker, (uintptr_t)pointer); }

int vgc_displacement_add(size_t displacement) {
  if (displacement >= MARKER_DISPLACEMENTS) {
    errno = EINVAL;
    return -1;
  }
  fetch_or_relaxed(&marker_displacements[displacement / 64], UINT64_C(1) << displacement % 64);
  return 0;
}
