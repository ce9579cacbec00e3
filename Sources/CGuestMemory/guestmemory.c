// All of this module is in its header; a target without a source file is none to SwiftPM.
#include "CGuestMemory.h"
