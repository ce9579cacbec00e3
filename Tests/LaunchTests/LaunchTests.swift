// LaunchTests
