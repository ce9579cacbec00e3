import Linux
print(HostSupport.probe())
