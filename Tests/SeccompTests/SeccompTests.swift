// SeccompTests
