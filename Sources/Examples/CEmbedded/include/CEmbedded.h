// What Embedded Swift leaves to a program: see embedded.c. Linking this target is enough for that.
#pragma once
