# escape=`
FROM mcr.microsoft.com/windows/servercore:ltsc2022
SHELL ["powershell", "-Command", "$ErrorActionPreference = 'Stop';"]
WORKDIR C:\app
ENV PYTHON_HOME="C:\Python" `
    GREETING="say `"hi`""
COPY setup.ps1 C:\setup.ps1
RUN Write-Host 'one'; `
    Write-Host 'two'
CMD [ "C:\\app\\run.exe" ]
