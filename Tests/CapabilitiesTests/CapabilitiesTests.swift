// CapabilitiesTests
